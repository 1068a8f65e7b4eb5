//! The interface of a bench, and its sockets, each of which hears and speaks on that interface alone.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ipnet::Ipv4Net;
use muster_netboot::mac::Mac;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Boards ask there.
pub const BOOTP: u16 = 67;
/// Answers to boards go there: also those of other servers.
pub const REPLIES: u16 = 68;
/// Boards ask there for their file.
pub const TFTP: u16 = 69;
/// Boards are installed there.
pub const NETINSTALL: u16 = muster_netboot::netinstall::PORT;

/// What a socket may hold that nobody has read yet: two hundred boards that begin at once. The system
/// may allow less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// An interface as the system has it at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number: another one means that it was taken away and made anew.
    pub index: usize,
    /// Its hardware address.
    pub mac: Mac,
    /// Its first IPv4 address, with the length of its network.
    pub address: Ipv4Net,
}

/// Looks at an interface.
///
/// # Errors
/// In words, why no board can be served on it.
pub fn link(interface: &str) -> Result<Link, String> {
    let all = getifaddrs().map_err(|e| format!("the interfaces cannot be listed: {e}"))?;
    found(interface, &all.collect::<Vec<_>>())
}

fn found(interface: &str, all: &[InterfaceAddress]) -> Result<Link, String> {
    let (mut up, mut hardware, mut address) = (false, None, None);
    for one in all.iter().filter(|one| one.interface_name == interface) {
        up |= one.flags.contains(InterfaceFlags::IFF_UP);
        let Some(said) = &one.address else { continue };
        if let Some(link) = said.as_link_addr() {
            hardware = link.addr().map(|mac| (link.ifindex(), Mac(mac)));
        }
        if let Some(ip) = said.as_sockaddr_in().map(|ip| ip.ip())
            && address.is_none()
        {
            let mask = one.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in());
            address = mask.and_then(|mask| Ipv4Net::with_netmask(ip, mask.ip()).ok());
        }
    }
    let (index, mac) =
        hardware.ok_or_else(|| format!("there is no interface {interface} on this host"))?;
    if !up {
        return Err(format!("the interface {interface} is down: set it up"));
    }
    let address = address
        .ok_or_else(|| format!("the interface {interface} has no IPv4 address: give it one"))?;
    Ok(Link { index, mac, address })
}

/// Opens a port on an interface; port 0 is any. `shared`: a program that shares it, too, may have it as
/// well.
///
/// # Errors
/// What the system says.
pub fn open(interface: &str, address: Ipv4Addr, port: u16, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(shared)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    Ok(socket)
}

/// Why a port cannot be had, and what to do about it.
pub fn words(port: u16, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "UDP port {port} may not be used: give Muster the capability CAP_NET_BIND_SERVICE, and on \
             Linux before 5.7 CAP_NET_RAW"
        ),
        ErrorKind::AddrInUse => format!(
            "another program has UDP port {port}: stop it (`ss -lunp` names it), or bind it to its own \
             interface"
        ),
        _ => format!("UDP port {port} cannot be opened: {error}"),
    }
}

fn socket(
    interface: &str,
    address: Ipv4Addr,
    port: u16,
    shared: bool,
) -> Result<UdpSocket, String> {
    open(interface, address, port, shared)
        .and_then(|socket| UdpSocket::from_std(socket.into()))
        .map_err(|e| words(port, &e))
}

/// What hears boards: open as long as the bench is there, and used for sending only while it is armed.
#[derive(Debug)]
pub struct Listening {
    /// Port 67.
    pub bootp: UdpSocket,
    /// Port 68; `None` = another program has it, and other servers are noticed less often.
    pub replies: Option<UdpSocket>,
}

impl Listening {
    /// Opens them.
    ///
    /// # Errors
    /// In words.
    pub fn open(interface: &str) -> Result<Self, String> {
        // Requests come to all, so to every address. These ports a DHCP server or client of the host may
        // have as well: what is sent to all comes to each of their sockets.
        let bootp = socket(interface, Ipv4Addr::UNSPECIFIED, BOOTP, true)?;
        let replies = socket(interface, Ipv4Addr::UNSPECIFIED, REPLIES, true)
            .map_err(|why| tracing::debug!(bench.interface = interface, "{why}"))
            .ok();
        Ok(Self { bootp, replies })
    }
}

/// What serves boards: open only while the bench is armed, or something that began then is not over.
#[derive(Debug)]
pub struct Serving {
    /// Port 69.
    pub tftp: UdpSocket,
    /// Any port, from which all transfers go.
    pub transfer: UdpSocket,
    /// Port 5000.
    pub netinstall: UdpSocket,
}

impl Serving {
    /// Opens them; boards reach the server at `address`.
    ///
    /// # Errors
    /// In words.
    pub fn open(interface: &str, address: Ipv4Addr) -> Result<Self, String> {
        // What is sent to one address comes to one socket alone: of two that share a port, to that of
        // whoever came last.
        Ok(Self {
            tftp: socket(interface, address, TFTP, false)?,
            transfer: socket(interface, address, 0, false)?,
            netinstall: socket(interface, Ipv4Addr::UNSPECIFIED, NETINSTALL, false)?,
        })
    }
}

/// The next message, and who it is from; never anything where there is no socket.
///
/// # Errors
/// What the system says.
pub async fn receive(
    socket: Option<&UdpSocket>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddrV4)> {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        if let (bytes, SocketAddr::V4(from)) = socket.recv_from(buffer).await? {
            return Ok((bytes, from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_there_is_not_is_said_to_be_none() {
        let why = link("no-such-if0").expect_err("there is none");
        assert_eq!(why, "there is no interface no-such-if0 on this host");
    }

    #[test]
    fn what_keeps_a_port_from_us_is_said_with_what_to_do() {
        let said = |kind: ErrorKind| words(67, &io::Error::from(kind));
        assert!(said(ErrorKind::PermissionDenied).contains("CAP_NET_BIND_SERVICE"));
        assert!(said(ErrorKind::AddrInUse).contains("ss -lunp"));
        assert!(said(ErrorKind::OutOfMemory).starts_with("UDP port 67 cannot be opened"));
    }
}
