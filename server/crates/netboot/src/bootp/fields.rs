//! The fields of a message as they lie in its bytes, for both directions.

use std::net::Ipv4Addr;

use super::{MAX_BYTES, MIN_BYTES, Wrong};
use crate::mac::Mac;

/// `op` of what a client sends.
pub(super) const REQUEST: u8 = 1;
/// `op` of what a server sends.
pub(super) const REPLY: u8 = 2;
/// Room for a file name.
pub(super) const FILE_BYTES: usize = 128;
/// Where the file name begins.
const FILE_AT: usize = 108;
/// The fixed fields, which all messages have.
const FIXED: usize = FILE_AT + FILE_BYTES;
/// What begins the vendor area (RFC 2132 section 2).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Ethernet, by `htype` and `hlen`.
const ETHERNET: [u8; 2] = [1, 6];
const PAD: u8 = 0;
const END: u8 = 255;

/// A message of either direction. `hops` and `sname` are neither read nor written.
pub(super) struct Fields {
    pub op: u8,
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub mac: Mac,
    pub file: Vec<u8>,
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Fields {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        if bytes.len() > MAX_BYTES {
            return Err(Wrong("it is too long"));
        }
        let Some((fixed, vendor)) = bytes.split_at_checked(FIXED) else {
            return Err(Wrong("it ends within its fixed fields"));
        };
        if fixed[1..3] != ETHERNET {
            return Err(Wrong("it is not of an Ethernet client"));
        }
        let mac = Mac(array(fixed, 28));
        if !mac.is_single() {
            return Err(Wrong("its hardware address is not that of a single board"));
        }
        let file = &fixed[FILE_AT..];
        let end = file.iter().position(|byte| *byte == 0).unwrap_or(file.len());
        Ok(Self {
            op: fixed[0],
            xid: u32::from_be_bytes(array(fixed, 4)),
            secs: u16::from_be_bytes(array(fixed, 8)),
            flags: u16::from_be_bytes(array(fixed, 10)),
            ciaddr: Ipv4Addr::from(array::<4>(fixed, 12)),
            yiaddr: Ipv4Addr::from(array::<4>(fixed, 16)),
            siaddr: Ipv4Addr::from(array::<4>(fixed, 20)),
            giaddr: Ipv4Addr::from(array::<4>(fixed, 24)),
            mac,
            file: file[..end].to_vec(),
            options: vendor.strip_prefix(&COOKIE).map(options).unwrap_or_default(),
        })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MIN_BYTES);
        bytes.extend([self.op, ETHERNET[0], ETHERNET[1], 0]);
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend(self.secs.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            bytes.extend(address.octets());
        }
        bytes.extend(self.mac.0);
        bytes.resize(FILE_AT, 0);
        bytes.extend(self.file.iter().take(FILE_BYTES));
        bytes.resize(FIXED, 0);
        bytes.extend(COOKIE);
        for (code, value) in &self.options {
            put(&mut bytes, *code, value);
        }
        bytes.push(END);
        if bytes.len() < MIN_BYTES {
            bytes.resize(MIN_BYTES, 0);
        }
        bytes
    }
}

/// The options up to their end, or up to the first that is cut off.
fn options(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut options = Vec::new();
    while let [code, rest @ ..] = bytes {
        if *code == END {
            break;
        }
        if *code == PAD {
            bytes = rest;
            continue;
        }
        let Some((length, rest)) = rest.split_first() else { break };
        let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
        options.push((*code, value.to_vec()));
        bytes = rest;
    }
    options
}

fn put(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    if matches!(code, PAD | END) {
        return;
    }
    let mut rest = value;
    loop {
        let (part, more) = rest.split_at(rest.len().min(usize::from(u8::MAX)));
        bytes.push(code);
        bytes.push(u8::try_from(part.len()).expect("a part has at most 255 bytes"));
        bytes.extend(part);
        if more.is_empty() {
            return;
        }
        rest = more;
    }
}

/// The bytes at a place of the fixed fields.
fn array<const N: usize>(fixed: &[u8], at: usize) -> [u8; N] {
    fixed[at..at + N].try_into().expect("the slice has the length of the array")
}
