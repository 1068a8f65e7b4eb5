//! Other servers of BOOTP and DHCP on the segment: of two servers a board believes whoever is faster.
//!
//! Owns that an armed bench finds those that answer each client alone, which nobody else hears: it asks,
//! as a client of DHCP does, to be answered by a datagram to all. It takes no offer, and never asks by
//! BOOTP, whose answers some servers lend for ever. Unarmed it only listens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use muster_netboot::bootp::{self, Reply, Request};

use super::{Datagram, Engine, Now, Out, Port};
use crate::netboot::socket;

/// Between two questions.
pub(super) const ASK_OTHERS: Duration = Duration::from_secs(30);
/// What a bench says that it is.
pub(super) const CLASS: &str = "muster-bench";
/// Its client identifier. Without one a server takes the question for one of the host, whose interface
/// has the same hardware address.
const CLIENT_ID: u8 = 61;
/// It is text, and no hardware address.
const TEXT: u8 = 0;
/// The answer is to go to all.
const BROADCAST: u16 = 0x8000;

/// Whether it is a bench that asks this: no board of anybody's.
pub(super) fn is_bench(request: &Request) -> bool {
    request.vendor_class().is_some_and(|class| class == CLASS)
}

impl Engine {
    /// Asks, where it is time for it.
    pub(super) fn ask_others(&mut self, now: Now, out: &mut Out) {
        if !self.is_armed(now) {
            self.asks_others_at = None;
        }
        if self.asks_others_at.is_none_or(|at| now.since < at) {
            return;
        }
        self.asks_others_at = Some(now.since + ASK_OTHERS);
        let mac = self.setup.mac;
        let [_, _, a, b, c, d] = mac.0;
        let discover = Request {
            xid: u32::from_be_bytes([a, b, c, d]),
            secs: 0,
            flags: BROADCAST,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            mac,
            file: Vec::new(),
            options: vec![
                (bootp::MESSAGE_TYPE, vec![bootp::DISCOVER]),
                (bootp::VENDOR_CLASS, CLASS.as_bytes().to_vec()),
                (CLIENT_ID, [[TEXT].as_slice(), CLASS.as_bytes()].concat()),
            ],
        };
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, socket::BOOTP);
        out.sends.push(Datagram { from: Port::Replies, to, bytes: discover.write() });
    }

    /// Another bench asks who else is there. It answers boards, whether or not it answers this.
    pub(super) fn another_bench(&mut self, from: SocketAddrV4, request: &Request, now: Now) {
        if request.mac != self.setup.mac && !from.ip().is_unspecified() {
            self.others.note(*from.ip(), false, now.at);
        }
    }

    /// Another server has answered somebody.
    pub(super) fn reply_of_another(&mut self, from: SocketAddrV4, bytes: &[u8], now: Now) {
        if let Ok(reply) = Reply::read(bytes) {
            let dhcp = reply.message_type().is_some();
            let server = reply.option(bootp::SERVER).and_then(|b| <[u8; 4]>::try_from(b).ok());
            let address = server.map_or(*from.ip(), Ipv4Addr::from);
            if address != self.setup.network.addr() {
                self.others.note(address, dhcp, now.at);
            }
        }
    }
}
