//! A capture of any frames: what it tells is within its limits, and neither telling it nor concluding
//! from it panics. Each frame has its length in front, in two bytes.
#![no_main]

mod told;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use muster_netboot::wire::{Frame, read};

fuzz_target!(|data: &[u8]| look(data));

fn look(mut data: &[u8]) {
    let mut frames = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (frame, rest) = rest.split_at(length);
        match read(frame) {
            Some(Frame::Udp(datagram)) => assert!(datagram.payload.len() <= frame.len()),
            Some(Frame::Arp(arp)) => assert_eq!(read(&arp.write()), Some(Frame::Arp(arp))),
            None => {}
        }
        frames.push((Duration::from_millis(frames.len() as u64), frame.to_vec()));
        data = rest;
    }
    told::look(frames);
}
