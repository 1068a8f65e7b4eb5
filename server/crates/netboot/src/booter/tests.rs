//! Our boot loader against our server. Both were made from the same notes: what passes here is
//! consistent, and says nothing of real boards.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bootp::{Kind, Reply};
use crate::mac::Mac;
use crate::netinstall::{Announcement, File, Installer};
use crate::tftp::{Limits, Sender};

const OWN: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 20);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 1);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const MAC: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER_MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);
/// The port that the server sends files from.
const TRANSFER: u16 = 4069;

fn hardware() -> Hardware {
    Hardware {
        mac: MAC,
        board_id: "5009".to_owned(),
        free: 3900,
        class: "ARM64__boot".to_owned(),
        announcement: Announcement {
            software_id: "AAAA-BBBB".to_owned(),
            key: "k3y".to_owned(),
            model: "RB5009".to_owned(),
            arch: "arm64".to_owned(),
            min_version: "7.2".to_owned(),
            version: None,
        },
    }
}

fn switched_on(begin: Begin) -> (Booter, Vec<Sent>) {
    Booter::switch_on(hardware(), Habits::default(), begin, 7, Duration::ZERO)
}

/// What the double is served by: our own machines.
struct Server {
    /// For boards that wait for a configuration, and for those that wait for an image.
    files: [Arc<[u8]>; 2],
    /// The name in the answer.
    name: &'static str,
    /// What is done to an answer before it is sent.
    spoil: fn(Vec<u8>) -> Vec<u8>,
    requests: Vec<Request>,
    names: Vec<String>,
    sender: Option<Sender>,
    installer: Option<Installer>,
}

impl Server {
    fn new(configuration: &[u8]) -> Self {
        Self {
            files: [Arc::from(configuration), Arc::from(&b"\x7fELF and more"[..])],
            name: "flashfig",
            spoil: |answer| answer,
            requests: Vec::new(),
            names: Vec::new(),
            sender: None,
            installer: None,
        }
    }

    fn hear(&mut self, sent: &Sent, now: Duration) -> Vec<Sent> {
        let back = |port: u16, packets: Vec<Vec<u8>>| {
            let source = SocketAddrV4::new(SERVER, port);
            let to = |payload| Sent { source, target: sent.source, hop: OWN, payload };
            packets.into_iter().map(to).collect::<Vec<_>>()
        };
        match sent.target.port() {
            SERVER_PORT => {
                assert_eq!(sent.source, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT));
                let request = Request::read(&sent.payload).unwrap();
                let reply = Reply::plain(&request, OWN, SERVER, MASK, None, self.name);
                self.requests.push(request);
                let target = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
                let source = SocketAddrV4::new(SERVER, SERVER_PORT);
                vec![Sent { source, target, hop: OWN, payload: (self.spoil)(reply.write()) }]
            }
            TFTP_PORT => {
                let Ok(Packet::Read { file, options, .. }) = Packet::read(&sent.payload) else {
                    panic!("no read request")
                };
                self.names.push(String::from_utf8_lossy(file).into_owned());
                let wants_image = self.requests.last().unwrap().option(128).is_none();
                let content = Arc::clone(&self.files[usize::from(wants_image)]);
                let (sender, packets) = Sender::begin(content, &options, &Limits::default(), now);
                self.sender = Some(sender);
                back(TRANSFER, packets)
            }
            TRANSFER => back(TRANSFER, self.sender.as_mut().unwrap().packet(&sent.payload, now)),
            netinstall::PORT => self.install(&sent.payload, now),
            port => panic!("nobody is at {port}"),
        }
    }

    fn install(&mut self, payload: &[u8], now: Duration) -> Vec<Sent> {
        let packets = match &mut self.installer {
            Some(installer) => installer.packet(payload, now),
            None => {
                let files = vec![
                    File {
                        name: "routeros.npk".to_owned(),
                        content: Arc::from([5_u8; 3000].as_slice()),
                    },
                    File {
                        name: "autorun.scr".to_owned(),
                        content: Arc::from(&b":log info x\n"[..]),
                    },
                ];
                let announcement = hardware().announcement;
                let (installer, packets) =
                    Installer::begin(SERVER_MAC, &announcement, MAC, files, now);
                self.installer = Some(installer);
                packets
            }
        };
        let source = SocketAddrV4::new(SERVER, netinstall::PORT);
        let target = SocketAddrV4::new(Ipv4Addr::BROADCAST, netinstall::PORT);
        packets.into_iter().map(|payload| Sent { source, target, hop: OWN, payload }).collect()
    }
}

/// Lets both talk until the board has come to an end; when that was.
fn play(board: (Booter, Vec<Sent>), server: &mut Server) -> (Booter, Duration) {
    let (mut booter, first) = board;
    let mut queue = std::collections::VecDeque::from(first);
    let mut now = Duration::ZERO;
    for _ in 0..100_000 {
        while let Some(sent) = queue.pop_front() {
            for answer in server.hear(&sent, now) {
                let (from, to) = (answer.source, answer.target);
                queue.extend(booter.datagram(from, to, &answer.payload, now));
            }
        }
        if booter.outcome().is_some() {
            return (booter, now);
        }
        now = now.max(booter.deadline().unwrap());
        queue.extend(booter.tick(now));
    }
    panic!("it never comes to an end");
}

fn outcome(server: &mut Server) -> Outcome {
    play(switched_on(Begin::Flashboot), server).0.outcome().unwrap().clone()
}

#[test]
fn a_configuration_is_stored_without_its_first_four_bytes() {
    let script = ":delay 5s\n/system identity set name=x\n";
    for length in [script.len(), 1448, 2000] {
        let script: String = script.chars().cycle().take(length).collect();
        let mut server = Server::new(format!("123 {script}").as_bytes());
        assert_eq!(outcome(&mut server), Outcome::Stored(script.into_bytes()));
        assert_eq!(server.names, ["flashfig"]);
        let request = &server.requests[0];
        assert_eq!(request.vendor_class().as_deref(), Some("Flashboot"));
        assert_eq!(request.option(128), Some(&b"5009"[..]));
        assert_eq!(request.option(129), Some(&[0, 0, 0x0f, 0x3c][..]));
        assert_eq!((request.message_type(), request.flags), (None, 0));
    }
}

#[test]
fn nobody_is_asked_for_longer_than_the_window() {
    let mut server = Server::new(b"123 x\n");
    // As if nobody had understood.
    server.spoil = |_| Vec::new();
    let (booter, end) = play(switched_on(Begin::Flashboot), &mut server);
    assert_eq!(booter.outcome(), Some(&Outcome::Nothing("nobody answered".to_owned())));
    assert_eq!((server.requests.len(), booter.asked()), (13, 13));
    assert_eq!(end, Duration::from_millis(2400));
    assert!(server.requests.iter().all(|request| request.xid == server.requests[0].xid));
    // The low byte goes first.
    assert_eq!(server.requests[12].secs, 0x0200);

    let (_, end) = play(switched_on(Begin::Etherboot), &mut server);
    assert_eq!(end, Duration::from_secs(40));
}

#[test]
fn an_answer_is_taken_only_as_a_boot_loader_takes_it() {
    fn spoiled(spoil: fn(Vec<u8>) -> Vec<u8>) -> Outcome {
        let mut server = Server::new(b"123 x\n");
        server.spoil = spoil;
        outcome(&mut server)
    }
    let stored = Outcome::Stored(b"x\n".to_vec());
    assert_eq!(spoiled(|answer| answer), stored);
    type Spoilt = (&'static str, fn(Vec<u8>) -> Vec<u8>);
    let spoilt: [Spoilt; 6] = [
        ("another question's", |mut answer| {
            answer[7] ^= 1;
            answer
        }),
        ("another board's", |mut answer| {
            answer[33] ^= 1;
            answer
        }),
        ("a request", |mut answer| {
            answer[0] = 1;
            answer
        }),
        // Not in the mask either.
        ("no end behind the options", |answer| {
            answer.iter().map(|byte| if *byte == 0xff { 0 } else { *byte }).collect()
        }),
        ("a message type", |mut answer| {
            drop(answer.splice(240..240, [53, 1, 5]));
            answer
        }),
        // Read as option 0 of 255 bytes.
        ("padding before the end", |mut answer| {
            answer.insert(246, 0);
            answer
        }),
    ];
    for (what, spoil) in spoilt {
        assert_eq!(spoiled(spoil), Outcome::Nothing("nobody answered".to_owned()), "{what}");
    }
    // A message type far behind is not seen.
    let far = |mut answer: Vec<u8>| {
        let name = [[12, 60].as_slice(), [b'a'; 60].as_slice(), [53, 1, 5].as_slice()].concat();
        drop(answer.splice(246..246, name));
        answer
    };
    assert_eq!(spoiled(far), stored);
}

#[test]
fn an_answer_of_dhcp_is_none() {
    let (mut booter, first) = switched_on(Begin::Flashboot);
    let request = Request::read(&first[0].payload).unwrap();
    let reply = Reply::dhcp(&request, Kind::Ack, OWN, SERVER, MASK, None, "x", 60);
    let from = SocketAddrV4::new(SERVER, SERVER_PORT);
    let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
    assert!(booter.datagram(from, to, &reply.write(), Duration::ZERO).is_empty());
    let reply = Reply::plain(&request, OWN, SERVER, MASK, None, "x");
    assert!(booter.datagram(to, from, &reply.write(), Duration::ZERO).is_empty(), "wrong ports");
    assert_eq!(booter.address(), None);
    assert_eq!(booter.datagram(from, to, &reply.write(), Duration::ZERO).len(), 1);
    assert_eq!(booter.address(), Some(OWN));
}

#[test]
fn without_a_name_it_asks_for_vmlinux() {
    let mut server = Server::new(b"123 x\n");
    server.name = "";
    outcome(&mut server);
    assert_eq!(server.names, ["vmlinux"]);
}

#[test]
fn what_stands_for_a_relay_is_taken_for_the_router() {
    let far = Ipv4Addr::new(192, 0, 2, 1);
    let (router, relay) = (Ipv4Addr::new(10, 5, 0, 254), Ipv4Addr::new(10, 5, 0, 7));
    let none = Ipv4Addr::UNSPECIFIED;
    for (server, giaddr, hop) in
        [(SERVER, none, SERVER), (far, none, router), (far, relay, relay), (SERVER, relay, SERVER)]
    {
        let (mut booter, first) = switched_on(Begin::Flashboot);
        let request = Request::read(&first[0].payload).unwrap();
        let mut reply = Reply::plain(&request, OWN, server, MASK, Some(router), "x");
        reply.giaddr = giaddr;
        let from = SocketAddrV4::new(server, SERVER_PORT);
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
        let read = booter.datagram(from, to, &reply.write(), Duration::ZERO);
        assert_eq!((read[0].hop, *read[0].target.ip()), (hop, server));
    }
}

#[test]
fn the_first_four_bytes_decide() {
    for (file, words) in [
        (b"# a script as it is\n".to_vec(), "that is no configuration"),
        (b"12".to_vec(), "that is no configuration"),
        (Vec::new(), "that is no configuration"),
        ([b"123 ".to_vec(), vec![b'x'; 3893]].concat(), "3904 bytes do not fit into 3900"),
    ] {
        assert_eq!(outcome(&mut Server::new(&file)), Outcome::Refused(words.to_owned()));
    }
    // 3896 bytes and four beside them: just as many as are free.
    let fits = [b"123 ".to_vec(), vec![b'x'; 3892]].concat();
    assert!(matches!(outcome(&mut Server::new(&fits)), Outcome::Stored(_)));
}

#[test]
fn a_board_that_is_sent_on_asks_at_once_for_an_image_and_is_installed() {
    let mut server = Server::new(b"doEB");
    let Outcome::Installed(files) = outcome(&mut server) else { panic!("not installed") };
    assert_eq!(server.requests.len(), 2);
    let second = &server.requests[1];
    assert_eq!(second.vendor_class().as_deref(), Some("ARM64__boot"));
    assert_eq!((second.option(128), second.option(129)), (None, None));
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["routeros.npk", "autorun.scr"]);
    assert_eq!(&*files[0].content, [5_u8; 3000]);

    let mut server = Server::new(b"doEB");
    server.files[1] = Arc::from(&b"MZ"[..]);
    assert!(matches!(outcome(&mut server), Outcome::Refused(words) if words.contains("ELF")));
}

#[test]
fn another_port_is_told_that_it_is_unknown() {
    let (mut booter, first) = switched_on(Begin::Flashboot);
    let request = Request::read(&first[0].payload).unwrap();
    let reply = Reply::plain(&request, OWN, SERVER, MASK, None, "x").write();
    let from = SocketAddrV4::new(SERVER, SERVER_PORT);
    let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
    let read = booter.datagram(from, to, &reply, Duration::ZERO).remove(0);
    assert_eq!(read.target, SocketAddrV4::new(SERVER, TFTP_PORT));
    assert!(read.source.port() >= 1024);

    let oack = Packet::Options(vec![("blksize".to_owned(), "1452".to_owned())]).write();
    let peer = SocketAddrV4::new(SERVER, TRANSFER);
    let ack = booter.datagram(peer, read.source, &oack, Duration::ZERO);
    assert_eq!(ack[0].target, peer);
    assert_eq!(Packet::read(&ack[0].payload).unwrap(), Packet::Ack { block: 0 });
    let other = SocketAddrV4::new(SERVER, TRANSFER + 1);
    let told = booter.datagram(other, read.source, &oack, Duration::ZERO);
    assert_eq!(told[0].target, other);
    assert!(matches!(Packet::read(&told[0].payload), Ok(Packet::Error { code: 5, .. })));
    let stranger = SocketAddrV4::new(Ipv4Addr::new(10, 5, 0, 66), TRANSFER);
    assert!(booter.datagram(stranger, read.source, &oack, Duration::ZERO).is_empty());
}

#[test]
fn only_one_that_lingers_answers_a_last_block_again() {
    for lingers in [false, true] {
        let habits = Habits { lingers, ..Habits::default() };
        let board = Booter::switch_on(hardware(), habits, Begin::Flashboot, 7, Duration::ZERO);
        let (mut booter, now) = play(board, &mut Server::new(b"123 x\n"));
        let port = booter.line.unwrap().port;
        let block = Packet::Data { block: 1, bytes: b"123 x\n" }.write();
        let from = SocketAddrV4::new(SERVER, TRANSFER);
        let again = booter.datagram(from, SocketAddrV4::new(OWN, port), &block, now);
        assert_eq!(again.len(), usize::from(lingers));
        assert_eq!(booter.address().is_some(), lingers);
        assert_eq!(booter.deadline(), None);
    }
}

proptest! {
    #[test]
    fn no_answer_breaks_it(bytes in prop::collection::vec(any::<u8>(), 200..400)) {
        Answer::read(&bytes, 1, MAC);
    }

    #[test]
    fn no_change_of_an_answer_breaks_it(at in 0..300_usize, byte in any::<u8>()) {
        let (mut booter, first) = switched_on(Begin::Flashboot);
        let request = Request::read(&first[0].payload).unwrap();
        let mut reply = Reply::plain(&request, OWN, SERVER, MASK, None, "x").write();
        reply[at] = byte;
        let from = SocketAddrV4::new(SERVER, SERVER_PORT);
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
        booter.datagram(from, to, &reply, Duration::ZERO);
    }
}
