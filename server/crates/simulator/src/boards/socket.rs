//! The raw socket: whole frames of one interface, in both directions.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
    setsockopt, socket, sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::BoardsError;

/// Most bytes of a frame.
pub(super) const MAX_FRAME: usize = 65_536;
/// Bytes that the system keeps until they are read: the answers to some hundred boards at once.
const BUFFER: usize = 16 << 20;
/// What the system says of frames that it has sent itself (`PACKET_OUTGOING`).
const OUTGOING: u8 = 4;

/// A socket that hears all frames of one interface.
#[derive(Debug)]
pub(super) struct Socket {
    file: AsyncFd<OwnedFd>,
    /// The number of the interface.
    interface: usize,
}

impl Socket {
    /// Opens it on an interface. In an async context only.
    pub(super) fn open(interface: &str) -> Result<Self, BoardsError> {
        Self::try_open(interface).map_err(|errno| {
            let words = match errno {
                Errno::ENODEV => "there is no such interface with hardware addresses".to_owned(),
                Errno::EPERM => {
                    "raw sockets need the capability CAP_NET_RAW: run this as root".to_owned()
                }
                other => other.desc().to_owned(),
            };
            BoardsError::Interface { interface: interface.to_owned(), words }
        })
    }

    #[expect(
        deprecated,
        reason = "its successor is unsafe, for descriptors that are closed or replaced meanwhile; this \
                  one is owned until the end"
    )]
    fn try_open(interface: &str) -> Result<Self, Errno> {
        let address = getifaddrs()?
            .filter(|found| found.interface_name == interface)
            .find_map(|found| found.address?.as_link_addr().copied())
            .ok_or(Errno::ENODEV)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let file = socket(AddressFamily::Packet, SockType::Raw, flags, Some(SockProtocol::EthAll))?;
        bind(file.as_raw_fd(), &address)?;
        // More than an ordinary user may have; what there is without it does for a few boards.
        let _ = setsockopt(&file, sockopt::RcvBufForce, &BUFFER);
        let file = AsyncFd::new(file)
            .map_err(|error| error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))?;
        Ok(Self { file, interface: address.ifindex() })
    }

    /// The next frame that comes in by the interface: so many bytes of the buffer; none for one that is
    /// not of there.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = |file: &OwnedFd| {
            recvfrom::<LinkAddr>(file.as_raw_fd(), buffer).map_err(io::Error::from)
        };
        let (length, from) = self.file.async_io(Interest::READABLE, read).await?;
        // Before it was bound, the socket has heard all interfaces.
        let ours =
            from.is_none_or(|from| from.ifindex() == self.interface && from.pkttype() != OUTGOING);
        Ok(if ours { length } else { 0 })
    }

    /// Sends a frame.
    pub(super) async fn send(&self, frame: &[u8]) -> io::Result<()> {
        let write = |file: &OwnedFd| {
            let sent = send(file.as_raw_fd(), frame, MsgFlags::empty());
            sent.map(drop).map_err(io::Error::from)
        };
        self.file.async_io(Interest::WRITABLE, write).await
    }
}
