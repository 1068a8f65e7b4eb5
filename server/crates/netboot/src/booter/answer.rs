//! How a boot loader reads an answer: at fixed places, and with no patience for what it does not know.
//!
//! Apart from [`crate::bootp`] on purpose: what is written there is read here by other rules.

use std::net::Ipv4Addr;

use crate::mac::Mac;

/// Where the fields stand.
const XID: usize = 4;
const YIADDR: usize = 16;
const SIADDR: usize = 20;
const GIADDR: usize = 24;
const CHADDR: usize = 28;
const FILE: usize = 108;
const COOKIE: usize = 236;
const OPTIONS: usize = 240;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const REPLY: u8 = 2;
const END: u8 = 0xff;
/// A message type that begins before this byte of the options makes it deaf to the answer.
const DEAF_UP_TO: usize = 60;

/// What it has understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) own: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    mask: Option<Ipv4Addr>,
    router: Option<Ipv4Addr>,
}

impl Answer {
    /// Reads an answer to this question with the name of the file; nothing where a boot loader would
    /// wait for another.
    pub(super) fn read(bytes: &[u8], xid: u32, mac: Mac) -> Option<(Self, String)> {
        let fixed = bytes.get(..OPTIONS)?;
        let ours = fixed[0] == REPLY
            && fixed[XID..XID + 4] == xid.to_be_bytes()
            && fixed[CHADDR..CHADDR + 6] == mac.0;
        if !ours || fixed[COOKIE..] != MAGIC {
            return None;
        }
        let address =
            |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        let options = walk(&bytes[OPTIONS..])?;
        let option = |code: u8| {
            let (_, value) = options.iter().find(|(other, _)| *other == code)?;
            value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets))
        };
        let relay = Some(address(GIADDR)).filter(|relay| !relay.is_unspecified());
        let answer = Self {
            own: address(YIADDR),
            server: address(SIADDR),
            mask: option(1),
            // Whatever stands for a relay is taken for the router.
            router: relay.or_else(|| option(3)),
        };
        let file = &fixed[FILE..COOKIE];
        let end = file.iter().position(|byte| *byte == 0).unwrap_or(file.len());
        Some((answer, String::from_utf8_lossy(&file[..end]).into_owned()))
    }

    /// Whom it sends through to reach an address.
    pub(super) fn next_hop(&self, target: Ipv4Addr) -> Ipv4Addr {
        let within = |mask: Ipv4Addr| {
            u32::from(self.own) & u32::from(mask) == u32::from(target) & u32::from(mask)
        };
        match (self.mask, self.router) {
            (Some(mask), Some(router)) if !within(mask) => router,
            _ => target,
        }
    }
}

/// The options up to their end. It knows no padding, so that a zero is an option like any other and
/// what follows it is read wrong; and it has no bound, so that without an end nothing good comes of it.
fn walk(area: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut options = Vec::new();
    let mut at = 0;
    loop {
        let code = *area.get(at)?;
        if code == END {
            return Some(options);
        }
        if code == 53 && at < DEAF_UP_TO {
            return None;
        }
        let length = usize::from(*area.get(at + 1)?);
        options.push((code, area.get(at + 2..at + 2 + length)?));
        at += 2 + length;
    }
}
