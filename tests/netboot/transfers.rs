//! TFTP: clients that others wrote read our files whole; and what our server says, packet by packet.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::{Duration, Instant};

use muster_netboot::tftp::{Packet, code};
use serde_json::json;

use super::lab::{Bench, FILE, file, image, script};
use super::pipe::Pipe;
use super::wire::{Said, Wire, new_mac, ready};

/// Clients, as a shell runs them with server, name and target.
const CLIENTS: [&str; 8] = [
    r#"curl -qsS --noproxy '*' -o "$3" "tftp://$1/$2""#,
    r#"curl -qsS --noproxy '*' --tftp-blksize 1452 -o "$3" "tftp://$1/$2""#,
    r#"curl -qsS --noproxy '*' --tftp-no-options -o "$3" "tftp://$1/$2""#,
    r#"tftp -4 -m binary "$1" -c get "$2" "$3""#,
    r#"atftp -g -r "$2" -l "$3" "$1""#,
    r#"atftp --option "blksize 1024" --option "tsize 0" --option "timeout 2" -g -r "$2" -l "$3" "$1""#,
    r#"atftp --option "blksize 256" --option "windowsize 4" -g -r "$2" -l "$3" "$1""#,
    r#"busybox tftp -b 1452 -g -r "$2" -l "$3" "$1""#,
];
/// All of these.
const PROGRAMS: [&str; 5] = ["python3", "curl", "tftp", "atftp", "busybox"];
/// Those of them by which large files are read: with more blocks than there are numbers, with a window,
/// and plainly.
const LARGE: [&str; 3] = [
    r#"curl -qsS --noproxy '*' --tftp-blksize 8 -o "$3" "tftp://$1/$2""#,
    r#"atftp --option "blksize 1428" --option "windowsize 16" -g -r "$2" -l "$3" "$1""#,
    r#"tftp -4 -m binary "$1" -c get "$2" "$3""#,
];
/// A script that goes over the wire in four blocks of 512 bytes, or in two of 1024, to the last byte:
/// behind them comes an empty one.
const EXACT: usize = 2_044;
/// How often a delay is measured; what counts is the shortest, for the machine has other things to do.
const TRIES: u32 = 5;
/// What `curl` ends with where it may not read.
const FORBIDDEN: Option<i32> = Some(69);

/// Has a client read a file.
pub async fn read(wire: &Wire, client: &str, name: &str, into: &Path) -> Said {
    let (server, into) = (wire.address.to_string(), into.display().to_string());
    wire.run("sh", &["-c", client, "sh", &server, name, &into]).await
}

async fn open() -> (Bench, Pipe) {
    let bench = Bench::start(Wire::plain()).await;
    bench.template("exact", &script(EXACT)).await;
    bench.arm("exact", json!({ "dhcp": true })).await;
    let pipe = Pipe::open(&bench.wire, 68).await;
    (bench, pipe)
}

#[tokio::test]
async fn clients_that_others_wrote_read_a_script_whole() {
    if !ready(&PROGRAMS) {
        return;
    }
    let (bench, mut pipe) = open().await;
    let dir = tempfile::tempdir().unwrap();
    let whole = file(&script(EXACT));
    for (n, client) in CLIENTS.into_iter().enumerate() {
        let (mac, into) = (new_mac(), dir.path().join(n.to_string()));
        bench.lend(&mut pipe, mac).await;
        let said = read(&bench.wire, client, FILE, &into).await;
        let came = std::fs::read(&into).unwrap_or_default();
        assert!(came == whole, "{client}: {} bytes: {}", came.len(), said.text);
        let board = bench.until(mac, "delivered").await;
        assert_eq!(board["sent_bytes"], whole.len(), "{client}: {board}");
        assert_eq!(board["size"], EXACT, "{client}: {board}");
    }
    // The last of them had its delivery: nothing more is there for it.
    let again = read(&bench.wire, CLIENTS[0], FILE, &dir.path().join("again")).await;
    assert_eq!(again.code, FORBIDDEN, "{}", again.text);
}

#[tokio::test]
async fn clients_that_others_wrote_read_a_boot_image_whole() {
    if !ready(&PROGRAMS) || !ready(&["udhcpc"]) {
        return;
    }
    let (bench, mut pipe) = open().await;
    let dir = tempfile::tempdir().unwrap();
    // More than 65,535 blocks of 8 bytes.
    let whole = image(530_000);
    bench.image("arm64", &whole).await;
    bench.packages("arm64").await;
    for (n, client) in LARGE.into_iter().enumerate() {
        let (mac, into) = (new_mac(), dir.path().join(n.to_string()));
        bench.introduce(&mut pipe, mac).await;
        bench.let_install(mac, None).await;
        let told = bench.lease(mac, &["-V", "ARM64__boot"]).await;
        let said = read(&bench.wire, client, &told["boot_file"], &into).await;
        let came = std::fs::read(&into).unwrap_or_default();
        assert!(came == whole, "{client}: {} bytes: {}", came.len(), said.text);
        // It waits for the board to announce itself: it was sent what formats it.
        let board = bench.until(mac, "installing").await;
        assert_eq!(board["sent_bytes"], whole.len(), "{client}: {board}");
        assert_eq!(board["deliveries"], 0, "{board}");
    }
}

#[tokio::test]
async fn nothing_is_written_and_nobody_reads_but_who_was_offered_something() {
    if !ready(&PROGRAMS) {
        return;
    }
    let (bench, mut pipe) = open().await;
    let dir = tempfile::tempdir().unwrap();
    let (wire, mac, into) = (&bench.wire, new_mac(), dir.path().join("read"));
    bench.lend(&mut pipe, mac).await;
    std::fs::write(&into, "x").unwrap();
    let put = read(wire, r#"tftp -4 -m binary "$1" -c put "$3" "$2""#, FILE, &into).await;
    assert!(put.text.contains("Error code 2"), "{}", put.text);
    let text = read(wire, r#"tftp -4 -m ascii "$1" -c get "$2" "$3""#, FILE, &into).await;
    assert!(text.text.contains("Error code 4"), "{}", text.text);
    // A neighbour that was lent nothing.
    wire.become_client(new_mac());
    wire.give_client(Ipv4Addr::from(u32::from(wire.address) + 200));
    let strange = read(wire, CLIENTS[0], FILE, &into).await;
    assert_eq!(strange.code, FORBIDDEN, "{}", strange.text);
}

/// A request to read, with a size of blocks.
fn asks(name: &str, blksize: u32) -> Vec<u8> {
    let options = vec![("blksize".to_owned(), blksize.to_string())];
    Packet::Read { file: name.as_bytes(), mode: b"octet", options }.write()
}

/// The size of blocks that is agreed to.
fn agreed(packet: &[u8]) -> Option<u32> {
    let Ok(Packet::Options(options)) = Packet::read(packet) else { return None };
    let blksize = options.iter().find(|(name, _)| name == "blksize")?;
    blksize.1.parse().ok()
}

/// Asks to read until that is agreed to; gives from where.
async fn begin(pipe: &mut Pipe, server: Ipv4Addr, name: &str, blksize: u32) -> SocketAddrV4 {
    pipe.send(SocketAddrV4::new(server, 69), &asks(name, blksize)).await;
    loop {
        let (from, packet) = pipe.receive().await;
        // What is not about this was said before.
        if agreed(&packet) == Some(blksize) {
            return from;
        }
    }
}

#[tokio::test]
async fn a_read_is_answered_at_once_and_begins_anew_when_it_is_repeated() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, mut pipe) = open().await;
    let (server, mac) = (bench.wire.address, new_mac());
    bench.lend(&mut pipe, mac).await;
    let mut reads = Pipe::open(&bench.wire, 0).await;
    let mut shortest = Duration::MAX;
    for n in 0..TRIES {
        let began = Instant::now();
        begin(&mut reads, server, "any-name", 1_400 + n).await;
        shortest = shortest.min(began.elapsed());
    }
    // RouterBOOT takes smaller blocks after that.
    assert!(shortest < Duration::from_millis(100), "{shortest:?}");
    let from = begin(&mut reads, server, "any-name", 512).await;

    // Another port of the same board has no part in it.
    let mut stranger = Pipe::open(&bench.wire, 0).await;
    stranger.send(from, &Packet::Ack { block: 0 }.write()).await;
    let (_, told) = stranger.receive().await;
    let Ok(Packet::Error { code: told, .. }) = Packet::read(&told) else { panic!("{told:?}") };
    assert_eq!(told, code::UNKNOWN_PORT);

    let mut came = Vec::new();
    reads.send(from, &Packet::Ack { block: 0 }.write()).await;
    loop {
        let (peer, packet) = reads.receive().await;
        assert_eq!(peer, from);
        let Ok(Packet::Data { block, bytes }) = Packet::read(&packet) else { continue };
        if usize::from(block) == came.len() / 512 + 1 {
            came.extend_from_slice(bytes);
        }
        reads.send(from, &Packet::Ack { block }.write()).await;
        if bytes.len() < 512 {
            assert!(bytes.is_empty() && block == 5, "block {block} is the last");
            break;
        }
    }
    assert!(came == file(&script(EXACT)));
    let board = bench.until(mac, "delivered").await;
    assert!(board["retries"].as_i64().unwrap() >= i64::from(TRIES), "{board}");
    let log = bench.api.get(&format!("/api/v1/bench/boards/{mac}/log")).await;
    let named = |entry: &serde_json::Value| entry["detail"]["file"] == "any-name";
    assert!(log["items"].as_array().unwrap().iter().any(named), "{log}");
}
