//! The messages of BOOTP (RFC 951) and of DHCP (RFC 2131), which is BOOTP with a message type.
//!
//! Liberal in what is read: a request may end after its fixed fields, as klibc's does, and options that
//! are cut off end the options. Exact in what is written: at least [`MIN_BYTES`], `FF` right behind the
//! last option and nothing but zeros after it, no relay, and no message type in the answer to a plain
//! request: RouterBOOT walks the options up to the `FF`, and takes no answer that has a message type.

mod fields;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use thiserror::Error;

use crate::mac::Mac;
use fields::Fields;

/// The shortest message that is written (RFC 1542 section 2.1).
pub const MIN_BYTES: usize = 300;
/// The longest message that is read: more than any frame of Ethernet carries.
pub const MAX_BYTES: usize = 2048;
/// Most bytes of options that nothing is known of that are kept, all of them together.
pub const MAX_UNKNOWN: usize = 512;
/// Most characters of a vendor class that are kept.
pub const MAX_VENDOR_CLASS: usize = 64;

/// Subnet mask.
pub const MASK: u8 = 1;
/// Routers of the subnet.
pub const ROUTER: u8 = 3;
/// The address that a client asks for.
pub const REQUESTED: u8 = 50;
/// How long the address is the client's, in seconds.
pub const LEASE: u8 = 51;
/// What makes a message one of DHCP.
pub const MESSAGE_TYPE: u8 = 53;
/// The server that is meant, or that answers.
pub const SERVER: u8 = 54;
/// What the client is.
pub const VENDOR_CLASS: u8 = 60;

/// The message of DHCP by which a client looks for servers.
pub const DISCOVER: u8 = 1;
/// The one by which it takes an offer, or wants its address for longer.
pub const REQUEST: u8 = 3;

/// Options of requests that mean something here; what else a board says is kept for people.
const KNOWN: [u8; 13] = [1, 3, 12, 50, 51, 53, 54, 55, 57, 60, 61, 128, 129];

/// Why bytes are no message; a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a BOOTP message: {0}")]
pub struct Wrong(pub &'static str);

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which of its questions this is: an answer carries it, too.
    pub xid: u32,
    /// Seconds since it began to ask; RouterBOOT writes the low byte first, so not to be relied on.
    pub secs: u16,
    /// The highest bit asks for an answer by broadcast.
    pub flags: u16,
    /// The address that it has.
    pub ciaddr: Ipv4Addr,
    /// The relay that it came by; zero = none.
    pub giaddr: Ipv4Addr,
    /// Its hardware address: that of a single board.
    pub mac: Mac,
    /// The name of the file that it asks for, without the zeros behind it.
    pub file: Vec<u8>,
    /// Its options as they stand; none where it has no vendor area. No 0 and no 255.
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Request {
    /// Reads a request of an Ethernet client.
    ///
    /// # Errors
    /// Whatever has not the fixed fields of one, and a hardware address that no single board has.
    pub fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let fields = Fields::read(bytes)?;
        if fields.op != fields::REQUEST {
            return Err(Wrong("it is no request"));
        }
        Ok(Self {
            xid: fields.xid,
            secs: fields.secs,
            flags: fields.flags,
            ciaddr: fields.ciaddr,
            giaddr: fields.giaddr,
            mac: fields.mac,
            file: fields.file,
            options: fields.options,
        })
    }

    /// The message: always with a vendor area. A file name is cut after 128 bytes; an option of more
    /// than 255 bytes becomes several (RFC 3396); options 0 and 255 are left out.
    pub fn write(&self) -> Vec<u8> {
        Fields {
            op: fields::REQUEST,
            xid: self.xid,
            secs: self.secs,
            flags: self.flags,
            ciaddr: self.ciaddr,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: self.giaddr,
            mac: self.mac,
            file: self.file.clone(),
            options: self.options.clone(),
        }
        .write()
    }

    /// The first option of this number.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        option(&self.options, code)
    }

    /// Which message of DHCP this is; none: plain BOOTP.
    pub fn message_type(&self) -> Option<u8> {
        message_type(&self.options)
    }

    /// What the client says it is (option 60), without zeros behind it; a `?` stands for each byte that
    /// is no printable ASCII, and at most [`MAX_VENDOR_CLASS`] characters are kept.
    pub fn vendor_class(&self) -> Option<String> {
        self.option(VENDOR_CLASS).map(|bytes| text(bytes, MAX_VENDOR_CLASS))
    }

    /// The address that it wants (option 50).
    pub fn requested(&self) -> Option<Ipv4Addr> {
        self.option(REQUESTED).and_then(address)
    }

    /// The server that it has chosen (option 54).
    pub fn for_server(&self) -> Option<Ipv4Addr> {
        self.option(SERVER).and_then(address)
    }

    /// The options that nothing is known of, as hexadecimal digits by number; one that comes in several
    /// parts is put together. What is beyond [`MAX_UNKNOWN`] bytes is cut off.
    pub fn unknown(&self) -> BTreeMap<u8, String> {
        let (mut unknown, mut room) = (BTreeMap::new(), MAX_UNKNOWN);
        for (code, value) in self.options.iter().filter(|(code, _)| !KNOWN.contains(code)) {
            let value = &value[..value.len().min(room)];
            room -= value.len();
            let digits: &mut String = unknown.entry(*code).or_default();
            digits.push_str(&hex::encode(value));
        }
        unknown
    }
}

/// How a server of DHCP answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To DISCOVER.
    Offer,
    /// To a REQUEST that is granted.
    Ack,
    /// To a REQUEST that is not: begin anew.
    Nak,
}

impl Kind {
    /// Its number in option 53.
    pub fn code(self) -> u8 {
        match self {
            Self::Offer => 2,
            Self::Ack => 5,
            Self::Nak => 6,
        }
    }
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// That of the request.
    pub xid: u32,
    /// Those of the request.
    pub flags: u16,
    /// Whose reply it is.
    pub mac: Mac,
    /// The client's address from now on.
    pub yiaddr: Ipv4Addr,
    /// Where its file is.
    pub siaddr: Ipv4Addr,
    /// A relay; RouterBOOT takes it for its router, so our replies have none.
    pub giaddr: Ipv4Addr,
    /// The name of its file, without the zeros behind it.
    pub file: Vec<u8>,
    /// The options as they stand. No 0 and no 255.
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Reply {
    /// The answer to a plain request: with the options 1 and, if there is a router, 3.
    pub fn plain(
        to: &Request,
        yiaddr: Ipv4Addr,
        siaddr: Ipv4Addr,
        mask: Ipv4Addr,
        router: Option<Ipv4Addr>,
        file: &str,
    ) -> Self {
        Self {
            xid: to.xid,
            flags: to.flags,
            mac: to.mac,
            yiaddr,
            siaddr,
            giaddr: Ipv4Addr::UNSPECIFIED,
            file: file.as_bytes().to_vec(),
            options: network(mask, router),
        }
    }

    /// The answer to a message of DHCP: with the options 53, 54, 51, 1 and, if there is a router, 3; of
    /// a refusal, with 53 and 54 alone, no address and no file.
    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub fn dhcp(
        to: &Request,
        kind: Kind,
        yiaddr: Ipv4Addr,
        siaddr: Ipv4Addr,
        mask: Ipv4Addr,
        router: Option<Ipv4Addr>,
        file: &str,
        lease_seconds: u32,
    ) -> Self {
        let mut options =
            vec![(MESSAGE_TYPE, vec![kind.code()]), (SERVER, siaddr.octets().to_vec())];
        if kind == Kind::Nak {
            let none = Ipv4Addr::UNSPECIFIED;
            return Self { options, ..Self::plain(to, none, none, mask, None, "") };
        }
        options.push((LEASE, lease_seconds.to_be_bytes().to_vec()));
        options.extend(network(mask, router));
        Self { options, ..Self::plain(to, yiaddr, siaddr, mask, router, file) }
    }

    /// The message. A file name is cut after 127 bytes, so that a zero ends it.
    pub fn write(&self) -> Vec<u8> {
        let mut file = self.file.clone();
        file.truncate(fields::FILE_BYTES - 1);
        Fields {
            op: fields::REPLY,
            xid: self.xid,
            secs: 0,
            flags: self.flags,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: self.yiaddr,
            siaddr: self.siaddr,
            giaddr: self.giaddr,
            mac: self.mac,
            file,
            options: self.options.clone(),
        }
        .write()
    }

    /// Reads what a server answers: ours, as a board does, or another's, which is on the segment, too.
    ///
    /// # Errors
    /// Whatever has not the fixed fields of a reply, and a hardware address that no single board has.
    pub fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let fields = Fields::read(bytes)?;
        if fields.op != fields::REPLY {
            return Err(Wrong("it is no reply"));
        }
        Ok(Self {
            xid: fields.xid,
            flags: fields.flags,
            mac: fields.mac,
            yiaddr: fields.yiaddr,
            siaddr: fields.siaddr,
            giaddr: fields.giaddr,
            file: fields.file,
            options: fields.options,
        })
    }

    /// The first option of this number.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        option(&self.options, code)
    }

    /// Which message of DHCP this is; none: plain BOOTP.
    pub fn message_type(&self) -> Option<u8> {
        message_type(&self.options)
    }
}

/// Bytes of a boot loader as text: without zeros behind it, a `?` for what is no printable ASCII, cut
/// after so many characters.
pub fn text(bytes: &[u8], most: usize) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let shown = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
    bytes[..end].iter().take(most).map(shown).collect()
}

fn network(mask: Ipv4Addr, router: Option<Ipv4Addr>) -> Vec<(u8, Vec<u8>)> {
    let mut options = vec![(MASK, mask.octets().to_vec())];
    options.extend(router.map(|router| (ROUTER, router.octets().to_vec())));
    options
}

fn option(options: &[(u8, Vec<u8>)], code: u8) -> Option<&[u8]> {
    options.iter().find(|(other, _)| *other == code).map(|(_, value)| value.as_slice())
}

fn message_type(options: &[(u8, Vec<u8>)]) -> Option<u8> {
    option(options, MESSAGE_TYPE).and_then(|value| value.first().copied())
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}
