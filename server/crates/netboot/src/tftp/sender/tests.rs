use super::*;

const MS: Duration = Duration::from_millis(1);

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn content(bytes: usize) -> Arc<[u8]> {
    (0..bytes).map(|at| u8::try_from(at % 251).expect("less than 251")).collect()
}

fn begin(bytes: usize, options: &[(&str, &str)]) -> (Sender, Vec<Vec<u8>>) {
    Sender::begin(content(bytes), &pairs(options), &Limits::default(), Duration::ZERO)
}

fn ack(sender: &mut Sender, block: u16, now: Duration) -> Vec<Vec<u8>> {
    sender.packet(&Packet::Ack { block }.write(), now)
}

/// Numbers and lengths of the blocks in these packets.
fn blocks(packets: &[Vec<u8>]) -> Vec<(u16, usize)> {
    let block = |packet: &Vec<u8>| match Packet::read(packet) {
        Ok(Packet::Data { block, bytes }) => (block, bytes.len()),
        other => panic!("{other:?}"),
    };
    packets.iter().map(block).collect()
}

fn agreed(options: &[(&str, &str)], limits: &Limits) -> Vec<(String, String)> {
    let (_, packets) = Sender::begin(content(1000), &pairs(options), limits, Duration::ZERO);
    match Packet::read(&packets[0]) {
        Ok(Packet::Options(options)) => options,
        Ok(Packet::Data { .. }) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_options_the_first_block_comes_at_once() {
    let (mut sender, packets) = begin(1000, &[]);
    assert_eq!(blocks(&packets), [(1, 512)]);
    assert_eq!(sender.sent_bytes(), 0);
    // Nobody was sent options to acknowledge.
    assert!(ack(&mut sender, 0, MS).is_empty());
    assert_eq!(blocks(&ack(&mut sender, 1, MS)), [(2, 488)]);
    assert_eq!(sender.sent_bytes(), 512);
    assert!(ack(&mut sender, 2, MS).is_empty());
    assert_eq!((sender.outcome(), sender.deadline()), (Some(Outcome::Done), None));
    assert_eq!((sender.sent_bytes(), sender.resent()), (1000, 0));
}

#[test]
fn options_are_answered_before_the_first_block() {
    let (mut sender, packets) = begin(1000, &[("blksize", "1452"), ("tsize", "0")]);
    assert_eq!(
        packets,
        [Packet::Options(pairs(&[("blksize", "1452"), ("tsize", "1000")])).write()]
    );
    assert_eq!(blocks(&ack(&mut sender, 0, MS)), [(1, 1000)]);
    assert!(ack(&mut sender, 1, MS).is_empty());
    assert_eq!(sender.outcome(), Some(Outcome::Done));
}

#[test]
fn options_are_taken_as_far_as_the_limits_let() {
    let limits = Limits { max_blksize: 1468, max_window: 8, ..Limits::default() };
    for (asked, taken) in [
        (("blksize", "1452"), Some("1452")),
        (("BLKSIZE", "8"), Some("8")),
        (("blksize", "65464"), Some("1468")),
        (("blksize", "99999999"), Some("1468")),
        (("blksize", "7"), None),
        (("blksize", "1452 "), None),
        (("blksize", ""), None),
        (("windowsize", "4"), Some("4")),
        (("windowsize", "65535"), Some("8")),
        (("windowsize", "0"), None),
        (("tsize", "0"), Some("1000")),
        (("tsize", "-1"), None),
        (("timeout", "255"), Some("255")),
        (("timeout", "256"), None),
        (("timeout", "0"), None),
        (("multicast", "1"), None),
    ] {
        let answer: Vec<_> = taken.map(|taken| (asked.0, taken)).into_iter().collect();
        assert_eq!(agreed(&[asked], &limits), pairs(&answer), "{asked:?}");
    }
    // The first one of a name counts, and all are answered in their order.
    let asked = [("tsize", "0"), ("blksize", "600"), ("blksize", "700"), ("x", "1")];
    assert_eq!(agreed(&asked, &limits), pairs(&[("tsize", "1000"), ("blksize", "600")]));
}

#[test]
fn a_whole_number_of_blocks_ends_with_an_empty_one() {
    let (mut sender, packets) = begin(1024, &[]);
    assert_eq!(blocks(&packets), [(1, 512)]);
    assert_eq!(blocks(&ack(&mut sender, 1, MS)), [(2, 512)]);
    assert_eq!(blocks(&ack(&mut sender, 2, MS)), [(3, 0)]);
    assert_eq!(sender.outcome(), None);
    assert!(ack(&mut sender, 3, MS).is_empty());
    assert_eq!(sender.outcome(), Some(Outcome::Done));

    let (mut sender, packets) = begin(0, &[]);
    assert_eq!(blocks(&packets), [(1, 0)]);
    assert!(ack(&mut sender, 1, MS).is_empty());
    assert_eq!(sender.outcome(), Some(Outcome::Done));
}

#[test]
fn a_copy_of_an_acknowledgement_brings_nothing() {
    let (mut sender, _) = begin(5000, &[]);
    assert_eq!(ack(&mut sender, 1, MS).len(), 1);
    for block in [1, 1, 0, 3, 65_535] {
        assert!(ack(&mut sender, block, 2 * MS).is_empty(), "{block}");
    }
    assert_eq!(blocks(&ack(&mut sender, 2, 3 * MS)), [(3, 512)]);
}

#[test]
fn the_timer_runs_from_the_last_progress() {
    let (mut sender, _) = begin(5000, &[]);
    ack(&mut sender, 1, 50 * MS);
    // RouterBOOT says its last block again and again.
    assert!(ack(&mut sender, 1, 150 * MS).is_empty());
    assert_eq!(sender.deadline(), Some(250 * MS));
    assert!(sender.tick(249 * MS).is_empty());
    assert!(ack(&mut sender, 1, 249 * MS).is_empty());
    assert_eq!(blocks(&sender.tick(250 * MS)), [(2, 512)]);
    // More and more slowly.
    assert_eq!(sender.deadline(), Some(650 * MS));
    assert_eq!(blocks(&sender.tick(700 * MS)), [(2, 512)]);
    assert_eq!(sender.resent(), 2);
}

#[test]
fn who_asks_for_a_time_is_repeated_to_more_and_more_slowly() {
    let (mut sender, _) = begin(5000, &[("timeout", "1")]);
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let deadline = sender.deadline().expect("it has not ended");
        pauses.push((deadline - now).as_millis());
        now = deadline;
        assert_eq!(sender.tick(now).len(), 1);
    }
    assert_eq!(pauses, [200, 400, 800, 1000, 1000]);
    ack(&mut sender, 0, now);
    assert_eq!(sender.deadline(), Some(now + 200 * MS));
}

#[test]
fn silence_ends_it_with_the_place_in_words() {
    let second = Duration::from_secs(1);
    let end = |sender: &mut Sender, now: Duration| {
        assert!(sender.tick(now).is_empty());
        assert!(sender.deadline().is_none());
        assert!(sender.tick(now + second).is_empty());
        sender.outcome()
    };
    let words = |sender: &mut Sender, now: Duration| match end(sender, now) {
        Some(Outcome::Failed(words)) => words,
        other => panic!("{other:?}"),
    };
    let (mut sender, _) = begin(1000, &[]);
    assert_eq!(sender.tick(29 * second).len(), 1);
    assert!(words(&mut sender, 30 * second).contains("then said nothing for 30 s"));

    let (mut sender, _) = begin(2000, &[]);
    ack(&mut sender, 1, second);
    assert!(words(&mut sender, 31 * second).contains("at 512 of 2000 bytes"));
    assert_eq!((sender.sent_bytes(), sender.out_bytes()), (512, 1024));
}

#[test]
fn who_was_sent_all_of_it_and_falls_silent_may_have_it() {
    let end = |mut sender: Sender| {
        assert!(sender.tick(Duration::from_secs(60)).is_empty());
        (sender.outcome(), sender.out_bytes())
    };
    let (mut sender, _) = begin(600, &[]);
    ack(&mut sender, 1, MS);
    assert_eq!(end(sender), (Some(Outcome::Unacknowledged), 600));
    // Of a file of one block nothing is acknowledged before.
    assert_eq!(end(begin(500, &[]).0), (Some(Outcome::Unacknowledged), 500));
    // Nor of one that goes out in one window.
    let (mut sender, _) = begin(2000, &[("windowsize", "4")]);
    ack(&mut sender, 0, MS);
    assert_eq!(end(sender), (Some(Outcome::Unacknowledged), 2000));
    // Whoever says that it ends it has not taken it.
    let (mut sender, _) = begin(600, &[]);
    ack(&mut sender, 1, MS);
    sender.packet(&Packet::Error { code: 0, words: "no room".to_owned() }.write(), 2 * MS);
    assert!(matches!(end(sender), (Some(Outcome::Failed(_)), 600)));
    // The answer to the options alone is none of it.
    assert_eq!(begin(600, &[("blksize", "8")]).0.out_bytes(), 0);
}

#[test]
fn the_client_may_end_it() {
    let (mut sender, _) = begin(1000, &[]);
    let error = Packet::Error { code: 0, words: "no room".to_owned() }.write();
    assert!(sender.packet(&error, MS).is_empty());
    let words = "the client ended it: no room (0)".to_owned();
    assert_eq!(sender.outcome(), Some(Outcome::Failed(words)));
    assert!(ack(&mut sender, 1, MS).is_empty() && sender.tick(Duration::from_secs(60)).is_empty());
}

#[test]
fn what_no_client_says_is_left_alone() {
    let (mut sender, _) = begin(1000, &[]);
    for bytes in [
        b"".as_slice(),
        b"\x00\x09",
        b"\x00\x03\x00\x01abc",
        b"\x00\x06blksize\x009\0",
        b"\x00\x02f\0octet\0",
    ] {
        assert!(sender.packet(bytes, MS).is_empty());
    }
    assert_eq!(blocks(&ack(&mut sender, 1, MS)), [(2, 488)]);
}

#[test]
fn a_window_is_sent_at_once_and_again_from_its_gap() {
    let (mut sender, _) = begin(10 * 512, &[("windowsize", "4")]);
    let of =
        |from: u16, to: u16| (from..=to).map(|block| (block, 512)).collect::<Vec<(u16, usize)>>();
    assert_eq!(blocks(&ack(&mut sender, 0, MS)), of(1, 4));
    assert_eq!(sender.resent(), 0);
    // 3 was lost.
    assert_eq!(blocks(&ack(&mut sender, 2, MS)), of(3, 6));
    assert_eq!(sender.resent(), 2);
    assert!(ack(&mut sender, 2, MS).is_empty());
    // The acknowledgement was.
    assert_eq!(blocks(&sender.tick(201 * MS)), of(3, 6));
    assert_eq!(sender.resent(), 6);
    assert_eq!(blocks(&ack(&mut sender, 6, 202 * MS)), of(7, 10));
    assert_eq!(blocks(&ack(&mut sender, 10, 203 * MS)), [(11, 0)]);
    assert!(ack(&mut sender, 11, 204 * MS).is_empty());
    assert_eq!(sender.outcome(), Some(Outcome::Done));
}

#[test]
fn a_request_is_a_late_copy_just_after_an_acknowledgement() {
    let (mut sender, _) = begin(400, &[("blksize", "512")]);
    assert!(!sender.under_way(Duration::ZERO));
    ack(&mut sender, 0, 100 * MS);
    assert!(sender.under_way(1099 * MS));
    assert!(!sender.under_way(1100 * MS));
    ack(&mut sender, 1, 1200 * MS);
    assert_eq!(sender.outcome(), Some(Outcome::Done));
    assert!(sender.under_way(1300 * MS));
}

/// What a board of 16 MiB flash is installed from, at the speed of a test that nobody waits for.
#[test]
fn a_large_image_is_sent_without_being_copied_about() {
    let image = content(17 * 1024 * 1024);
    let options = pairs(&[("blksize", "1452"), ("windowsize", "8")]);
    let (mut sender, _) = Sender::begin(image.clone(), &options, &Limits::default(), MS);
    let mut came = Vec::with_capacity(image.len());
    let mut packets = ack(&mut sender, 0, MS);
    while sender.outcome().is_none() {
        let mut last = 0;
        for packet in &packets {
            match Packet::read(packet) {
                Ok(Packet::Data { block, bytes }) => {
                    came.extend_from_slice(bytes);
                    last = block;
                }
                other => panic!("{other:?}"),
            }
        }
        packets = ack(&mut sender, last, MS);
    }
    assert!(came == *image);
    assert_eq!(sender.sent_bytes(), 17 * 1024 * 1024);
}
