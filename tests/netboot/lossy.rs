//! A wire that loses a fifth of all frames, in each direction, and carries others twice or late: whatever
//! is read over it is whole in the end.
//!
//! By netem where the kernel has it, and by `lossy.py` where not. Two of the clients cannot have options on
//! such a wire, which is none of the server's doing: `curl` takes a late copy of the answer to them for the
//! beginning of the file, and writes its first block twice; `atftp` ends at one.

use muster_sim::boards::{BoardOptions, start_boards};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::lab::{Bench, file, image, script};
use super::pipe::Pipe;
use super::transfers::read;
use super::wire::{Wire, new_mac, ready};

/// Clients, as a shell runs them with server, name and target.
const CLIENTS: [&str; 4] = [
    r#"busybox tftp -b 1452 -g -r "$2" -l "$3" "$1""#,
    r#"curl -qsS --noproxy '*' --tftp-no-options -o "$3" "tftp://$1/$2""#,
    r#"tftp -4 -m binary "$1" -c get "$2" "$3""#,
    // It waits for a pause in what comes before it says again what was lost: one second, where its own
    // would be five.
    r#"atftp --tftp-timeout 1 -g -r "$2" -l "$3" "$1""#,
];
/// Simulated boards that are served at the same time.
const BOARDS: u32 = 12;

#[tokio::test]
async fn clients_that_others_wrote_read_a_boot_image_whole() {
    if !ready(&["python3", "udhcpc", "curl", "tftp", "atftp", "busybox"]) {
        return;
    }
    let bench = Bench::start(Wire::bad(true)).await;
    bench.template("lossy", &script(600)).await;
    bench.arm("lossy", json!({ "dhcp": true })).await;
    let whole = image(5_000);
    bench.image("arm64", &whole).await;
    bench.packages("arm64").await;
    let (mut pipe, dir) = (Pipe::open(&bench.wire, 68).await, tempfile::tempdir().unwrap());
    for (n, client) in CLIENTS.into_iter().enumerate() {
        let (mac, into) = (new_mac(), dir.path().join(n.to_string()));
        bench.introduce(&mut pipe, mac).await;
        bench.let_install(mac, None).await;
        let told = bench.lease(mac, &["-V", "ARM64__boot"]).await;
        let said = read(&bench.wire, client, &told["boot_file"], &into).await;
        let came = std::fs::read(&into).unwrap_or_default();
        assert!(came == whole, "{client}: {} bytes: {}", came.len(), said.text);
    }
}

/// Test doubles, with RouterBOOT's habits: it proves that both of our sides agree, and no more.
#[tokio::test]
async fn simulated_boards_have_their_scripts_whole() {
    if !ready(&["python3"]) {
        return;
    }
    let bench = Bench::start(Wire::bad(false)).await;
    let text = script(2_044);
    bench.template("lossy", &text).await;
    bench.arm("lossy", json!({ "any": true, "any_per_minute": 600 })).await;
    let stop = CancellationToken::new();
    let mut options = BoardOptions::new(BOARDS, bench.wire.client.as_str());
    // Switched off and on again until they are served, and not deaf to a last block that comes again.
    options.lossless = true;
    let boards = start_boards(options, stop.clone()).await.unwrap();
    let stats = boards.settled().await;
    assert_eq!((stats.stored, stats.refused), (BOARDS, 0), "{stats:?}");
    for index in 0..BOARDS {
        let mac = boards.fleet.identity(index).mac(1).parse().unwrap();
        let board = bench.until(mac, "delivered").await;
        assert_eq!(board["sent_bytes"], file(&text).len(), "{board}");
    }
    stop.cancel();
    boards.fleet.finished().await;
}
