//! Wires that are made for a test and are gone with it: pairs of virtual interfaces, whose ends may be in
//! network namespaces, so that clients have a machine to themselves.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use muster_netboot::mac::Mac;
use nix::unistd::Uid;
use tokio::time::timeout;

/// How long a client may take in all.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Bits of the network of each wire.
pub const PREFIX: u8 = 24;
/// Of a bad wire, in percent: frames that are lost, come twice, come late.
const BAD: [&str; 3] = ["20", "10", "25"];
/// The same by netem, where the kernel has it; each end has it in one direction.
const NETEM: &str = "netem loss 20% duplicate 10% delay 1ms 2ms 25%";

/// Says loudly that a test proves nothing in this run.
fn skipped(why: &str) {
    let line = format!("SKIPPED netboot: {why}\n");
    // Not by `eprintln!`: what a test that passes says by that is seen by nobody.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("TEST_SKIPPED") {
        let mut list = File::options().create(true).append(true).open(list).unwrap();
        list.write_all(line.as_bytes()).unwrap();
    }
}

/// Whether this machine has all that a test needs: namespaces, and these programs and files. Where it has
/// not, it is said what is missing, and the test is skipped.
pub fn ready(needs: &[&str]) -> bool {
    let why = match namespaces() {
        Err(why) => why.clone(),
        Ok(()) => match needs.iter().find(|need| find(need).is_none()) {
            Some(need) => format!("there is no {need}"),
            None => return true,
        },
    };
    let thread = std::thread::current();
    skipped(&format!("{}: {why}", thread.name().unwrap_or("a test")));
    false
}

/// Where a program is. Those of administrators are not on everybody's path.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|place| place.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|dir| dir.join(program))
        .find(|place| place.is_file())
}

/// A file of these tests.
pub fn own(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/netboot").join(file);
    path.display().to_string()
}

/// Whether the kernel gives namespaces and pairs of interfaces: tried once.
fn namespaces() -> &'static Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    TRIED.get_or_init(|| {
        if !Uid::effective().is_root() {
            return Err("only root may make network namespaces".to_owned());
        }
        let name = format!("mb{}t", std::process::id());
        try_ip(&format!("netns add {name}"))?;
        let pair = try_ip(&format!("link add {name} type veth peer name {name}p netns {name}"));
        let gone = try_ip(&format!("netns del {name}"));
        // The pair goes with its namespace, a little later.
        pair.and(gone)
    })
}

/// Runs `ip`; what it says where that fails.
fn try_ip(args: &str) -> Result<(), String> {
    let output = Command::new("ip").args(args.split_whitespace()).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("ip: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("ip {args}: {}", said.trim())) }
}

/// Runs `ip`, which must succeed.
fn ip(args: &str) {
    try_ip(args).unwrap();
}

/// A hardware address that nobody else has.
pub fn new_mac() -> Mac {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [_, a, b, c] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Mac([0x02, 0x4d, 0x42, a, b, c])
}

/// What a program has said, on both of its outputs, and how it has ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Standard output, then standard error.
    pub text: String,
}

/// Where the ends of a wire are.
struct Ends {
    /// The server's is in a namespace of its own.
    server_apart: bool,
    /// So is the client's.
    client_apart: bool,
    /// What lies between both is bad.
    bad: bool,
}

/// A wire from a server to whoever is at its other end.
pub struct Wire {
    /// The server's interface.
    pub server: String,
    /// The client's.
    pub client: String,
    /// The server's address on it.
    pub address: Ipv4Addr,
    server_namespace: Option<String>,
    client_namespace: Option<String>,
    namespaces: Vec<String>,
    forwarder: Option<Child>,
}

impl Wire {
    /// The server's end here, the client's in a namespace.
    pub fn plain() -> Self {
        Self::lay(None, &Ends { server_apart: false, client_apart: true, bad: false })
    }

    /// Both ends here, the client's without an address: for who speaks in whole frames.
    pub fn here() -> Self {
        Self::lay(None, &Ends { server_apart: false, client_apart: false, bad: false })
    }

    /// A wire that loses a fifth of all frames, carries others twice and some late.
    pub fn bad(client_apart: bool) -> Self {
        Self::lay(None, &Ends { server_apart: false, client_apart, bad: true })
    }

    /// Another wire, on which the server has the address that it has here; both ends in namespaces.
    pub fn twin(&self) -> Self {
        let ends = Ends { server_apart: true, client_apart: true, bad: false };
        Self::lay(Some(self.address), &ends)
    }

    /// The same without a first one.
    pub fn apart() -> Self {
        Self::lay(None, &Ends { server_apart: true, client_apart: true, bad: false })
    }

    fn lay(address: Option<Ipv4Addr>, ends: &Ends) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // At most 15 characters.
        let name = |what: &str| format!("mb{process}{what}{number}");
        // 198.18.0.0/15 is for tests (RFC 2544): 512 networks.
        let network = 0xC612_0000 + (process * 41 + number) % 512 * 256;
        let apart = |is_apart: bool, what: &str| is_apart.then(|| name(what));
        let mut wire = Self {
            server: name("s"),
            client: name("c"),
            address: address.unwrap_or_else(|| Ipv4Addr::from(network + 1)),
            server_namespace: apart(ends.server_apart, "n"),
            client_namespace: apart(ends.client_apart, "m"),
            namespaces: Vec::new(),
            forwarder: None,
        };
        // From here on a panic leaves nothing behind: what there is goes with `wire`.
        for namespace in [wire.server_namespace.clone(), wire.client_namespace.clone()] {
            wire.namespaces.extend(namespace);
        }
        for namespace in &wire.namespaces {
            ip(&format!("netns add {namespace}"));
        }
        let (server, client) = (wire.server.clone(), wire.client.clone());
        if ends.bad && !wire.use_netem() {
            wire.forward(&name("x"), [&name("y"), &name("z")]);
        } else {
            ip(&format!("link add {server} type veth peer name {client}"));
            place(&server, wire.server_namespace.as_deref());
            place(&client, wire.client_namespace.as_deref());
        }
        wire.on_server(&format!("addr add {}/{PREFIX} dev {server}", wire.address));
        if ends.bad && wire.forwarder.is_none() {
            let rule = |interface: &str| format!("qdisc replace dev {interface} root {NETEM}");
            tc(wire.server_namespace.as_deref(), &rule(&server)).unwrap();
            tc(wire.client_namespace.as_deref(), &rule(&client)).unwrap();
        }
        wire
    }

    /// Whether the kernel can lose frames by itself.
    fn use_netem(&self) -> bool {
        let tried = format!("{}t", self.server);
        let pair = try_ip(&format!("link add {tried} type veth peer name {tried}p"));
        let rule = tc(None, &format!("qdisc add dev {tried} root {NETEM}"));
        let gone = try_ip(&format!("link del {tried}"));
        pair.and(rule).and(gone).is_ok()
    }

    /// Lays two wires, with what carries frames from one to the other, badly, in a namespace between.
    fn forward(&mut self, between: &str, [near, far]: [&str; 2]) {
        ip(&format!("netns add {between}"));
        self.namespaces.push(between.to_owned());
        for (end, inner, namespace) in [
            (&self.server, near, &self.server_namespace),
            (&self.client, far, &self.client_namespace),
        ] {
            ip(&format!("link add {end} type veth peer name {inner}"));
            place(inner, Some(between));
            place(end, namespace.as_deref());
        }
        let mut forwarder = Command::new("ip")
            .args(["netns", "exec", between, "python3", own("lossy.py").as_str(), near, far, "7"])
            .args(BAD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = forwarder.stdout.take().unwrap();
        self.forwarder = Some(forwarder);
        // With the end of the line: an unbuffered Python writes that by itself.
        let mut word = [0; 6];
        said.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"ready\n");
    }

    fn on_server(&self, args: &str) {
        ip(&at(self.server_namespace.as_deref(), args));
    }

    fn on_client(&self, args: &str) {
        ip(&at(self.client_namespace.as_deref(), args));
    }

    /// Makes the client's end a machine that was not there before: with this hardware address, and
    /// without an address of IP.
    pub fn become_client(&self, mac: Mac) {
        let client = &self.client;
        self.on_client(&format!("addr flush dev {client}"));
        self.on_client(&format!("link set {client} address {mac}"));
    }

    /// Gives the client's end an address.
    pub fn give_client(&self, address: Ipv4Addr) {
        self.on_client(&format!("addr add {address}/{PREFIX} dev {}", self.client));
    }

    /// Sends what the client has no other way for by its end of the wire.
    pub fn route_client(&self) {
        self.on_client(&format!("route replace default dev {}", self.client));
    }

    /// The same for the server.
    pub fn route_server(&self) {
        self.on_server(&format!("route replace default dev {}", self.server));
    }

    /// Lays the client's end on a bridge, with a socket for the network card of a virtual machine beside
    /// it; gives the names of bridge and socket.
    pub fn add_socket(&self) -> (&'static str, &'static str) {
        let (bridge, socket, client) = ("br0", "tap0", &self.client);
        for args in [
            format!("link add {bridge} type bridge forward_delay 0 mcast_snooping 0"),
            format!("tuntap add {socket} mode tap"),
            format!("link set {client} master {bridge}"),
            format!("link set {socket} master {bridge}"),
        ] {
            self.on_client(&args);
        }
        for interface in [socket, bridge] {
            up(interface, self.client_namespace.as_deref());
        }
        (bridge, socket)
    }

    /// A program at the client's end. It ends with whoever started it.
    pub fn client_command(&self, program: &str) -> tokio::process::Command {
        command(self.client_namespace.as_deref(), program)
    }

    /// A program at the server's end.
    pub fn server_command(&self, program: &str) -> tokio::process::Command {
        command(self.server_namespace.as_deref(), program)
    }

    /// Runs a program at the client's end to its end.
    pub async fn run(&self, program: &str, args: &[&str]) -> Said {
        let mut command = self.client_command(program);
        let output = timeout(PATIENCE, command.args(args).output()).await;
        let output = output.unwrap_or_else(|_| panic!("{program} {args:?} does not end")).unwrap();
        let text = [output.stdout, output.stderr].concat();
        Said { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(mut forwarder) = self.forwarder.take() {
            let _ = forwarder.kill();
            let _ = forwarder.wait();
        }
        // Each goes with its other end; those in a namespace go with that.
        for end in [&self.server, &self.client] {
            let _ = try_ip(&format!("link del {end}"));
        }
        for namespace in &self.namespaces {
            let _ = try_ip(&format!("netns del {namespace}"));
        }
    }
}

/// The same within a namespace.
fn at(namespace: Option<&str>, args: &str) -> String {
    namespace.map_or_else(|| args.to_owned(), |namespace| format!("-n {namespace} {args}"))
}

/// Puts an interface where it belongs, and sets it up.
fn place(interface: &str, namespace: Option<&str>) {
    if let Some(namespace) = namespace {
        ip(&format!("link set {interface} netns {namespace}"));
    }
    up(interface, namespace);
}

fn up(interface: &str, namespace: Option<&str>) {
    // Nothing is to be on the wire but what the test puts there; some kernels have no IPv6 at all.
    let _ = try_ip(&at(namespace, &format!("link set {interface} addrgenmode none")));
    ip(&at(namespace, &format!("link set {interface} up")));
}

fn tc(namespace: Option<&str>, args: &str) -> Result<(), String> {
    let args = at(namespace, args);
    let tc = find("tc").ok_or("there is no tc")?;
    let output = Command::new(tc).args(args.split_whitespace()).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("tc: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("tc {args}: {}", said.trim())) }
}

fn command(namespace: Option<&str>, program: &str) -> tokio::process::Command {
    let program = find(program).unwrap_or_else(|| panic!("`ready` did not look for {program}"));
    let mut command = match namespace {
        Some(namespace) => {
            let mut command = tokio::process::Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(program);
            command
        }
        None => tokio::process::Command::new(program),
    };
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}
