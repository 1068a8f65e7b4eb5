//! What goes into the machine of a bench, and what comes out of it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::Ipv4Net;
use muster_netboot::mac::Mac;
use muster_netboot::profile::Profile;
use uuid::Uuid;

use crate::netboot::decide::Question;
use crate::netboot::record::Write;

/// A moment, by the clock of the machines and by that of people.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the bench began.
    pub since: Duration,
    /// For what is stored.
    pub at: DateTime<Utc>,
}

/// One of the bench's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// 67: boards ask.
    Bootp,
    /// 68: boards are answered; heard, and other servers are asked from there.
    Replies,
    /// 69: boards ask for their file.
    Tftp,
    /// Any: files go from there.
    Transfer,
    /// 5000: boards are installed.
    Netinstall,
}

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// From which socket.
    pub from: Port,
    /// To whom.
    pub to: SocketAddrV4,
    /// What.
    pub bytes: Vec<u8>,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Out {
    /// Sent, in this order.
    pub sends: Vec<Datagram>,
    /// Decided.
    pub questions: Vec<Question>,
    /// Written, in this order.
    pub writes: Vec<Write>,
}

/// What people said of the bench.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Orders {
    /// It is armed until then.
    pub until: Option<DateTime<Utc>>,
    /// When somebody armed it last.
    pub armed_at: Option<DateTime<Utc>>,
    /// Clients that speak DHCP are served.
    pub dhcp: bool,
    /// How boards are served.
    pub profiles: Arc<Vec<Profile>>,
    /// The name of the one that it is armed with, which is tried first.
    pub profile: Option<String>,
}

/// What a bench is.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Which.
    pub bench_id: Uuid,
    /// Its own hardware address.
    pub mac: Mac,
    /// Its own address, with the length of its network.
    pub network: Ipv4Net,
    /// The addresses that boards borrow, where that is said.
    pub range: Option<(Ipv4Addr, Ipv4Addr)>,
    /// How long a client that speaks DHCP may keep its address, in seconds.
    pub lease_seconds: u32,
}
