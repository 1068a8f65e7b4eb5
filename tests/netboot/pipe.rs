//! UDP sockets at the client's end of a wire, in the hands of a test, and what is asked through them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Stdio;
use std::time::Duration;

use muster_netboot::bootp::Request;
use muster_netboot::mac::Mac;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::{Instant, timeout};

use super::wire::{PATIENCE, Wire, own};

/// Where boot loaders ask.
const SERVERS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);
/// Between two questions of a boot loader.
pub const PAUSE: Duration = Duration::from_millis(200);

/// A socket.
pub struct Pipe {
    _child: Child,
    typed: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// Its port.
    pub port: u16,
}

impl Pipe {
    /// Opens one on the client's interface; port 0 is any.
    pub async fn open(wire: &Wire, port: u16) -> Self {
        Self::open_on(wire, &wire.client, port).await
    }

    /// The same on another interface that is there.
    pub async fn open_on(wire: &Wire, interface: &str, port: u16) -> Self {
        let mut child = wire
            .client_command("python3")
            .arg(own("pipe.py"))
            .arg(interface)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let typed = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut pipe = Self { _child: child, typed, said, port };
        let first = pipe.line(PATIENCE).await.unwrap();
        pipe.port = first.strip_prefix("ready ").unwrap().parse().unwrap();
        pipe
    }

    async fn line(&mut self, wait: Duration) -> Option<String> {
        let line = timeout(wait, self.said.next_line()).await.ok()?;
        Some(line.unwrap().expect("the socket is open"))
    }

    /// Sends a datagram.
    pub async fn send(&mut self, to: SocketAddrV4, bytes: &[u8]) {
        let line = format!("{} {} {}\n", to.ip(), to.port(), hex::encode(bytes));
        self.typed.write_all(line.as_bytes()).await.unwrap();
        self.typed.flush().await.unwrap();
    }

    /// The next datagram, if one comes within this time.
    pub async fn heard(&mut self, wait: Duration) -> Option<(SocketAddrV4, Vec<u8>)> {
        let line = self.line(wait).await?;
        let mut words = line.split(' ');
        let address: Ipv4Addr = words.next().unwrap().parse().unwrap();
        let port: u16 = words.next().unwrap().parse().unwrap();
        Some((SocketAddrV4::new(address, port), hex::decode(words.next().unwrap()).unwrap()))
    }

    /// The next datagram, which must come.
    pub async fn receive(&mut self) -> (SocketAddrV4, Vec<u8>) {
        self.heard(PATIENCE).await.expect("something comes")
    }

    /// Asks once.
    pub async fn ask_once(&mut self, request: &Request) {
        self.send(SERVERS, &request.write()).await;
    }

    /// Asks as a boot loader does, until there is an answer; gives it as it came.
    pub async fn ask(&mut self, request: &Request) -> Vec<u8> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.ask_once(request).await;
            while let Some((_, bytes)) = self.heard(PAUSE).await {
                if is_answer(&bytes, request) {
                    return bytes;
                }
            }
        }
        panic!("nobody answers {request:?}");
    }
}

/// Whether this answers that.
pub fn is_answer(bytes: &[u8], request: &Request) -> bool {
    bytes.first() == Some(&2) && bytes.get(4..8) == Some(request.xid.to_be_bytes().as_slice())
}

/// A request with these options, to be answered by a datagram to all.
pub fn request(mac: Mac, options: &[(u8, &[u8])]) -> Request {
    Request {
        xid: rand::random(),
        secs: 0,
        flags: 0x8000,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac,
        file: Vec::new(),
        options: options.iter().map(|(code, value)| (*code, value.to_vec())).collect(),
    }
}

/// What a board in flash-boot mode asks that has so many bytes for a configuration.
pub fn flashboot(mac: Mac, free: u32) -> Request {
    let free = free.to_be_bytes();
    let options =
        [(60, b"Flashboot".as_slice()), (128, b"952-hb".as_slice()), (129, free.as_slice())];
    request(mac, &options)
}

/// The options of an answer as a boot loader reads them: up to their end, without any padding. Gives what
/// is behind the end, too.
pub fn options(answer: &[u8]) -> (Vec<(u8, Vec<u8>)>, &[u8]) {
    assert_eq!(answer[236..240], [99, 130, 83, 99]);
    let (mut rest, mut options) = (&answer[240..], Vec::new());
    while rest[0] != 255 {
        assert_ne!(rest[0], 0, "padding before the end");
        let end = 2 + usize::from(rest[1]);
        options.push((rest[0], rest[2..end].to_vec()));
        rest = &rest[end..];
    }
    (options, &rest[1..])
}

/// The address that an answer gives to whoever asked.
pub fn given(answer: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(answer[16], answer[17], answer[18], answer[19])
}
