//! Frames: what is on the wire around the messages, for those who have no system of addresses to do it
//! for them: simulated boards, the probe, and whoever reads a capture.
//!
//! Reads as a boot loader does: untagged Ethernet, no fragments, no IP options, sums that are right.

use std::net::{Ipv4Addr, SocketAddrV4};

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacketSlice, EtherType, Ethernet2Header, Ethernet2Slice,
    IpNumber, Ipv4Slice, PacketBuilder, UdpSlice,
};

use crate::mac::Mac;

/// Hops that a datagram may take; boot loaders begin with as many.
const TTL: u8 = 64;
/// Most bytes of a datagram's payload: what is left of a frame of 1500 bytes.
pub const MAX_PAYLOAD: usize = 1472;

/// What a frame carries, of what the bench is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Who has an address.
    Arp(Arp),
    /// A datagram.
    Udp(Datagram<'a>),
}

/// A question or an answer about who has an IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// It asks; otherwise it answers.
    pub asks: bool,
    /// Who says it.
    pub sender: (Mac, Ipv4Addr),
    /// Whom it is about; in a question the hardware address is zero.
    pub target: (Mac, Ipv4Addr),
}

/// A UDP datagram with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Hardware addresses: from, to.
    pub macs: (Mac, Mac),
    /// Where it comes from.
    pub source: SocketAddrV4,
    /// Where it goes.
    pub target: SocketAddrV4,
    /// What it says.
    pub payload: &'a [u8],
}

/// What is in an Ethernet frame; nothing where a boot loader would not take it.
pub fn read(frame: &[u8]) -> Option<Frame<'_>> {
    let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    match ethernet.ether_type() {
        EtherType::ARP => arp(ethernet.payload_slice()).map(Frame::Arp),
        EtherType::IPV4 => {
            let macs = (Mac(ethernet.source()), Mac(ethernet.destination()));
            datagram(macs, ethernet.payload_slice()).map(Frame::Udp)
        }
        _ => None,
    }
}

fn arp(payload: &[u8]) -> Option<Arp> {
    let packet = ArpPacketSlice::from_slice(payload).ok()?.to_packet().try_eth_ipv4().ok()?;
    let asks = match packet.operation {
        ArpOperation::REQUEST => true,
        ArpOperation::REPLY => false,
        _ => return None,
    };
    let sender = (Mac(packet.sender_mac), Ipv4Addr::from(packet.sender_ipv4));
    let target = (Mac(packet.target_mac), Ipv4Addr::from(packet.target_ipv4));
    Some(Arp { asks, sender, target })
}

fn datagram(macs: (Mac, Mac), payload: &[u8]) -> Option<Datagram<'_>> {
    let ip = Ipv4Slice::from_slice(payload).ok()?;
    let header = ip.header().to_header();
    let plain = header.options.is_empty() && !header.is_fragmenting_payload();
    let sound = header.calc_header_checksum() == header.header_checksum;
    if !plain || !sound || header.protocol != IpNumber::UDP {
        return None;
    }
    // Not by way of `ip`, which would have to live as long as the payload.
    let end = usize::from(header.total_len);
    let udp = UdpSlice::from_slice(payload.get(header.header_len()..end)?).ok()?;
    let (source, target) = (header.source, header.destination);
    let right = udp.to_header().calc_checksum_ipv4_raw(source, target, udp.payload()).ok()?;
    let length = u16::try_from(udp.slice().len()).ok()?;
    // A sum of zero is none. One of only the addresses is left by a sender whose hardware would have
    // filled in the rest, on a wire that has no hardware.
    if ![right, 0, sum_of_addresses(source, target, length)].contains(&udp.checksum()) {
        return None;
    }
    Some(Datagram {
        macs,
        source: SocketAddrV4::new(Ipv4Addr::from(source), udp.source_port()),
        target: SocketAddrV4::new(Ipv4Addr::from(target), udp.destination_port()),
        payload: udp.payload(),
    })
}

/// The sum of what stands for the IP header in a datagram's checksum, folded, not inverted.
fn sum_of_addresses(source: [u8; 4], target: [u8; 4], length: u16) -> u16 {
    let pair = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
    let words = [
        pair(source[0], source[1]),
        pair(source[2], source[3]),
        pair(target[0], target[1]),
        pair(target[2], target[3]),
        u32::from(IpNumber::UDP.0),
        u32::from(length),
    ];
    let mut sum: u32 = words.iter().sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // Folded twice at most: it fits.
    u16::try_from(sum).unwrap_or(u16::MAX)
}

impl Datagram<'_> {
    /// The frame that carries it; nothing where the payload is larger than one frame holds.
    pub fn write(&self) -> Option<Vec<u8>> {
        if self.payload.len() > MAX_PAYLOAD {
            return None;
        }
        let (from, to) = (self.macs.0.0, self.macs.1.0);
        let builder = PacketBuilder::ethernet2(from, to)
            .ipv4(self.source.ip().octets(), self.target.ip().octets(), TTL)
            .udp(self.source.port(), self.target.port());
        let mut frame = Vec::with_capacity(builder.size(self.payload.len()));
        builder.write(&mut frame, self.payload).ok()?;
        Some(frame)
    }
}

impl Arp {
    /// The question who has an address, of somebody with these of their own.
    pub fn question(own: (Mac, Ipv4Addr), wanted: Ipv4Addr) -> Self {
        Self { asks: true, sender: own, target: (Mac::ZERO, wanted) }
    }

    /// The answer to this question by whoever has the address.
    pub fn answer(&self, own: Mac) -> Self {
        Self { asks: false, sender: (own, self.target.1), target: self.sender }
    }

    /// The frame that carries it: a question goes to all, an answer to who asked.
    pub fn write(&self) -> Vec<u8> {
        let (from, to) = (self.sender.0, if self.asks { Mac::BROADCAST } else { self.target.0 });
        let header =
            Ethernet2Header { source: from.0, destination: to.0, ether_type: EtherType::ARP };
        let packet = ArpEthIpv4Packet {
            operation: if self.asks { ArpOperation::REQUEST } else { ArpOperation::REPLY },
            sender_mac: from.0,
            sender_ipv4: self.sender.1.octets(),
            target_mac: self.target.0.0,
            target_ipv4: self.target.1.octets(),
        };
        [header.to_bytes().as_slice(), packet.to_bytes().as_slice()].concat()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);
    /// Where the sums of IP and UDP stand in a frame, and the flags of IP.
    const IP_SUM: usize = 24;
    const FLAGS: usize = 20;
    const UDP_SUM: usize = 40;

    fn sent(payload: &[u8]) -> Vec<u8> {
        let datagram = Datagram {
            macs: (SERVER, BOARD),
            source: "10.5.0.1:67".parse().unwrap(),
            target: "255.255.255.255:68".parse().unwrap(),
            payload,
        };
        let frame = datagram.write().unwrap();
        assert_eq!(read(&frame), Some(Frame::Udp(datagram)));
        frame
    }

    #[test]
    fn a_short_frame_may_be_filled_up() {
        let mut frame = sent(b"abc");
        frame.resize(60, 0);
        let Some(Frame::Udp(datagram)) = read(&frame) else { panic!("no datagram") };
        assert_eq!(datagram.payload, b"abc");
    }

    #[test]
    fn what_a_boot_loader_does_not_take_is_not_read() {
        let frame = sent(&[7; 300]);
        for (at, what) in [(IP_SUM, "IP sum"), (UDP_SUM, "UDP sum"), (50, "payload")] {
            let mut wrong = frame.clone();
            wrong[at] ^= 1;
            assert_eq!(read(&wrong), None, "{what}");
        }
        let mut fragment = frame.clone();
        fragment[FLAGS] |= 0x20;
        // Its sum is right again.
        let sum = u16::from_be_bytes([fragment[IP_SUM], fragment[IP_SUM + 1]]);
        fragment[IP_SUM..IP_SUM + 2].copy_from_slice(&(sum - 0x2000).to_be_bytes());
        assert_eq!(read(&fragment), None, "fragment");
        assert_eq!(read(&frame[..200]), None, "cut");
        let mut tagged = frame[..12].to_vec();
        tagged.extend([0x81, 0, 0, 5]);
        tagged.extend(&frame[12..]);
        assert_eq!(read(&tagged), None, "tagged");
    }

    #[test]
    fn no_sum_and_one_that_hardware_would_complete_are_taken() {
        let mut frame = sent(&[9; 20]);
        frame[UDP_SUM..UDP_SUM + 2].copy_from_slice(&[0, 0]);
        assert!(read(&frame).is_some());
        // 0a05 + 0001 + ffff + ffff + 17 + 28, folded.
        let sum = 0x0a05_u16 + 1 + 17 + 28;
        frame[UDP_SUM..UDP_SUM + 2].copy_from_slice(&sum.to_be_bytes());
        assert!(read(&frame).is_some());
    }

    #[test]
    fn no_frame_holds_more_than_a_frame() {
        sent(&[1; MAX_PAYLOAD]);
        let datagram = Datagram {
            macs: (SERVER, BOARD),
            source: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            target: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 2),
            payload: &[1; MAX_PAYLOAD + 1],
        };
        assert_eq!(datagram.write(), None);
    }

    #[test]
    fn a_question_goes_to_all_and_its_answer_to_who_asked() {
        let server = Ipv4Addr::new(10, 5, 0, 1);
        let question = Arp::question((BOARD, Ipv4Addr::new(10, 5, 0, 9)), server);
        let frame = question.write();
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(read(&frame), Some(Frame::Arp(question)));
        let answer = question.answer(SERVER);
        assert_eq!(answer.sender, (SERVER, server));
        let frame = answer.write();
        assert_eq!(frame[..6], BOARD.0);
        assert_eq!(read(&frame), Some(Frame::Arp(answer)));
    }

    proptest! {
        #[test]
        fn no_frame_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }

        #[test]
        fn no_change_of_a_frame_breaks_it(at in 0..100_usize, byte in any::<u8>()) {
            let mut frame = sent(&[5; 58]);
            frame[at] = byte;
            read(&frame);
        }
    }
}
