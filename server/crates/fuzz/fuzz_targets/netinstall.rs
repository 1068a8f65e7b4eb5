//! Frames of any bytes, cut at `|`: reading one never panics, what was read is written as it was, and
//! neither end of an installation says more than it may, whether a piece comes as it is or as what is
//! said in a frame with the right counters.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use muster_netboot::mac::Mac;
use muster_netboot::netinstall::{
    Announcement, Device, File, Frame, Habits, Installer, Outcome, check,
};

const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);

fuzz_target!(|data: &[u8]| {
    let pieces: Vec<&[u8]> = data.split(|byte| *byte == b'|').collect();
    pieces.iter().for_each(|piece| again(piece));
    install(&pieces);
    be_installed(&pieces);
});

fn again(bytes: &[u8]) {
    if let Ok(frame) = Frame::read(bytes) {
        assert_eq!(Frame::read(&frame.write()), Ok(frame));
    }
    if let Ok(announcement) = Announcement::read(bytes) {
        assert_eq!(Announcement::read(&announcement.write()), Ok(announcement.clone()));
        // A file of any bytes is none that a disk is formatted for.
        let files = [File { name: "routeros.npk".to_owned(), content: bytes.into() }];
        assert!(check(&files, &announcement).is_err());
    }
}

fn announcement() -> Announcement {
    Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "key".to_owned(),
        model: "RB5009UG+S+".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.4".to_owned(),
        version: None,
    }
}

/// What answers this frame, with the right counters.
fn to(said: &Frame, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (said.to, said.from);
    let (counter, peer) = (said.peer.wrapping_add(1), said.counter);
    Frame { from, to, counter, peer, payload: payload.to_vec() }.write()
}

fn last(packets: &[Vec<u8>]) -> Option<Frame> {
    packets.last().map(|packet| Frame::read(packet).expect("what is said is a frame"))
}

fn install(pieces: &[&[u8]]) {
    let mut now = Duration::ZERO;
    let content = b"0123456789".repeat(200).into();
    let files = vec![File { name: "routeros.npk".to_owned(), content }];
    let (mut installer, packets) = Installer::begin(SERVER, &announcement(), BOARD, files, now);
    let mut said = last(&packets).expect("it begins with an offer");
    for piece in pieces {
        now += Duration::from_millis(100);
        for bytes in [piece.to_vec(), to(&said, piece)] {
            let mut packets = installer.packet(&bytes, now);
            packets.extend(installer.tick(now));
            assert!(packets.len() <= 2);
            said = last(&packets).unwrap_or(said);
            assert_eq!((said.from, said.to), (SERVER, BOARD));
        }
    }
    let progress = installer.progress();
    assert!(progress.sent <= progress.total);
    if installer.outcome() == Some(Outcome::Done) {
        assert_eq!(progress.sent, progress.total);
    }
}

fn be_installed(pieces: &[&[u8]]) {
    let mut now = Duration::ZERO;
    let habits = Habits { format: Duration::ZERO, ..Habits::default() };
    let (mut device, _) = Device::begin(BOARD, announcement(), habits, now);
    // As if it had been spoken to: the first offer has the counters 1 and 0.
    let mut said = Frame { from: BOARD, to: SERVER, counter: 0, peer: 0, payload: Vec::new() };
    for piece in pieces {
        now += Duration::from_millis(100);
        for bytes in [piece.to_vec(), to(&said, piece)] {
            let packets = device.packet(&bytes, now);
            assert!(packets.len() <= 2);
            said = last(&packets).unwrap_or(said);
            device.tick(now);
        }
    }
    let taken: usize = device.files().iter().map(|file| file.content.len()).sum();
    // Each piece came twice.
    assert!(taken <= 2 * pieces.iter().map(|piece| piece.len()).sum::<usize>());
}
