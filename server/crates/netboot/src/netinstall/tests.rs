//! Both ends, with a wire between them that loses frames, brings some twice, and others late. Our own
//! board proves that both of our ends agree, and nothing about a real one.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::mac::Mac;
use crate::tftp::lossy::Wire;

const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);

fn announcement() -> Announcement {
    Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "k/ey".to_owned(),
        model: "RB5009UG+S+".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.4".to_owned(),
        version: Some("7.8".to_owned()),
    }
}

fn file(name: &str, bytes: usize) -> File {
    let content = (0..bytes).map(|at| u8::try_from(at % 251).expect("less than 251")).collect();
    File { name: name.to_owned(), content }
}

/// Installs a board that begins to announce itself; gives both ends, and the time it took.
fn run(files: &[File], habits: Habits, wire: &mut Wire) -> (Device, Installer, Duration) {
    let mut now = Duration::ZERO;
    let mut installer: Option<Installer> = None;
    let (mut device, packets) = Device::begin(BOARD, announcement(), habits, now);
    packets.into_iter().for_each(|bytes| wire.send(true, bytes, now));
    loop {
        let of_server = installer.as_ref().and_then(Installer::deadline);
        let next = [wire.deadline(), device.deadline(), of_server].into_iter().flatten().min();
        now = now.max(next.expect("somebody has something to say"));
        assert!(now < Duration::from_secs(10_000), "it does not come to an end");
        let (to_device, to_server) = match wire.take(now) {
            Some((true, bytes)) => (serve(&mut installer, files, &bytes, now), Vec::new()),
            Some((false, bytes)) => (Vec::new(), device.packet(&bytes, now)),
            None => {
                let said = installer.as_mut().map_or_else(Vec::new, |own| own.tick(now));
                (said, device.tick(now))
            }
        };
        to_device.into_iter().for_each(|bytes| wire.send(false, bytes, now));
        to_server.into_iter().for_each(|bytes| wire.send(true, bytes, now));
        if let Some(ended) = installer.take_if(|own| own.outcome().is_some()) {
            return (device, ended, now);
        }
    }
}

/// The server as its caller has it: the first announcement begins an installation.
fn serve(
    installer: &mut Option<Installer>,
    files: &[File],
    bytes: &[u8],
    now: Duration,
) -> Vec<Vec<u8>> {
    if let Some(installer) = installer {
        return installer.packet(bytes, now);
    }
    let frame = Frame::read(bytes).expect("the board sends frames");
    let announcement = Announcement::read(&frame.payload).expect("it announces itself first");
    let (begun, packets) = Installer::begin(SERVER, &announcement, frame.from, files.to_vec(), now);
    *installer = Some(begun);
    packets
}

#[test]
fn a_board_gets_its_files() {
    let files = [file("routeros.npk", 200_000), file("tr069.npk", 2048), file(SCRIPT, 1)];
    let mut wire = Wire { least: Duration::from_millis(1), ..Wire::perfect() };
    let (device, installer, took) = run(&files, Habits::default(), &mut wire);
    assert_eq!(installer.outcome(), Some(Outcome::Done));
    assert_eq!(device.outcome(), Some(Outcome::Done));
    assert_eq!(device.files(), files);
    let progress = installer.progress();
    assert_eq!((progress.sent, progress.total), (202_049, 202_049));
    // Three seconds of formatting, two of silence at the end, and a few hundred frames.
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(7), "{took:?}");
}

#[test]
fn counters_go_on_with_zero() {
    // Each file is three frames.
    let files: Vec<File> = (0..22_000).map(|at| file(&format!("{at}.npk"), 1)).collect();
    let (device, installer, _) = run(&files, Habits::default(), &mut Wire::perfect());
    assert_eq!(installer.outcome(), Some(Outcome::Done));
    assert_eq!(device.files().len(), 22_000);
}

#[test]
fn a_large_image_is_sent_without_being_copied_about() {
    let files = [file("routeros.npk", 17 * 1024 * 1024)];
    let (device, installer, _) = run(&files, Habits::default(), &mut Wire::perfect());
    assert_eq!(installer.outcome(), Some(Outcome::Done));
    assert!(device.files() == files);
}

#[test]
fn a_board_that_dies_is_given_up() {
    let files = [file("routeros.npk", 50_000)];
    let habits = Habits { dies_after: Some(20_000), ..Habits::default() };
    let (device, installer, took) = run(&files, habits, &mut Wire::perfect());
    assert!(device.files().is_empty());
    assert!(matches!(
        installer.outcome(),
        Some(Outcome::Failed(words)) if words.contains("needs a power cycle")
    ));
    assert!(took < Duration::from_secs(70), "{took:?}");
}

#[test]
fn a_board_that_skips_answers_gets_its_files() {
    let files = [file("routeros.npk", 3000), file(SCRIPT, 1)];
    let habits = Habits { skips_answer: true, ..Habits::default() };
    let (device, installer, _) = run(&files, habits, &mut Wire::perfect());
    assert_eq!(installer.outcome(), Some(Outcome::Done));
    assert_eq!(device.files(), files);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_board_gets_its_files(
        sizes in proptest::collection::vec(0..5000_usize, 1..5),
        format in 0..15_000_u64,
        doubles in any::<bool>(),
        (seed, loss, twice, late) in (any::<u64>(), 0..25_u64, 0..25_u64, 0..40_u64),
    ) {
        let name = |(at, bytes): (usize, usize)| file(&format!("{at}.npk"), bytes);
        let files: Vec<File> = sizes.into_iter().enumerate().map(name).collect();
        let mut wire = Wire { seed, loss, twice, late, ..Wire::perfect() };
        let habits = Habits {
            repeat: Duration::from_millis(200),
            format: Duration::from_millis(format),
            doubles,
            ..Habits::default()
        };
        let (device, installer, _) = run(&files, habits, &mut wire);
        prop_assert_eq!(installer.outcome(), Some(Outcome::Done));
        prop_assert_eq!(device.outcome(), Some(Outcome::Done));
        prop_assert_eq!(device.files(), files);
    }
}
