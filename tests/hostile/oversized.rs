//! Too much of everything: bodies, what they unfold to, heads. Refused with a status that says so,
//! at a bounded cost in memory.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::{refusals, serves_the_next};
use crate::harness::cpe::{Cpe, Reply, inform};
use crate::harness::{LAB, Muster, eventually};

const HUNDRED_MB: usize = 100 << 20;
const PIECE: usize = 64 << 10;
/// By how much the server's memory may grow for good.
const MAY_GROW: u64 = 64 << 20;

/// Sends a body of 100 MB whatever the server says meanwhile, and then looks what it said.
async fn stubborn(muster: &Muster, head: &str, chunked: bool) -> Reply {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    cpe.send(head.as_bytes()).await.unwrap();
    let mut piece = vec![b' '; PIECE];
    if chunked {
        piece = [format!("{PIECE:X}\r\n").into_bytes(), piece, b"\r\n".to_vec()].concat();
    }
    for _ in 0..HUNDRED_MB / PIECE {
        // The server has had enough.
        if cpe.send(&piece).await.is_err() {
            break;
        }
    }
    cpe.read().await.expect("an answer before the connection is closed")
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: acs\r\nTransfer-Encoding: chunked\r\n\r\n";

fn announced() -> String {
    format!("POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: {HUNDRED_MB}\r\n\r\n")
}

fn names_the_limit(reply: &Reply) {
    assert_eq!(reply.status, 413, "{reply:?}");
    assert!(reply.body.contains("at most 16777216 bytes"), "{}", reply.body);
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

/// The heads of the two forms (RFC 1952, RFC 1950).
const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const DEFLATE: &[u8] = &[0x78, 0x01];

/// Compressed blocks that hold this text and may be repeated: they refer to nothing before them. A
/// bomb is made of them in no time, and no decoder comes to its missing end.
fn blocks(text: &str) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
    out.get_ref().clone()
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_announced_or_not() {
    let muster = Muster::start(LAB).await;
    // Announced: before a byte of it was sent, and with no 100 Continue for it.
    for expect in ["", "Expect: 100-continue\r\n"] {
        let before = refusals(&muster);
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let head = announced().replacen("\r\n\r\n", &format!("\r\n{expect}\r\n"), 1);
        cpe.send(head.as_bytes()).await.unwrap();
        names_the_limit(&cpe.read().await.unwrap());
        assert_eq!(refusals(&muster), before + 1);
        serves_the_next(&muster).await;
    }
    for (head, chunked) in [(announced().as_str(), false), (CHUNKED, true)] {
        let before = refusals(&muster);
        names_the_limit(&stubborn(&muster, head, chunked).await);
        assert_eq!(refusals(&muster), before + 1);
        serves_the_next(&muster).await;
    }
}

#[tokio::test]
async fn memory_does_not_grow_by_oversized_bodies() {
    let muster = Muster::start(LAB).await;
    serves_the_next(&muster).await;
    let before = resident(muster.pid());
    for _ in 0..20 {
        names_the_limit(&stubborn(&muster, CHUNKED, true).await);
    }
    serves_the_next(&muster).await;
    eventually("memory has come back", || {
        let grown = resident(muster.pid()).saturating_sub(before);
        async move { (grown < MAY_GROW).then_some(()) }
    })
    .await;
}

#[tokio::test]
async fn what_unfolds_beyond_measure_is_refused_and_so_is_what_does_not_unfold() {
    let muster = Muster::start(LAB).await;
    let spaces = blocks(&" ".repeat(1 << 20)).repeat(100);
    let parameter = "<ParameterValueStruct><Name>Device.A</Name><Value>1</Value>\
                     </ParameterValueStruct>";
    let parameters = blocks(&parameter.repeat(10_000)).repeat(100);
    let message = inform("MILLION", &["2 PERIODIC"]);
    let (before_list, _) = message.split_once("</ParameterList>").unwrap();
    let million = [GZIP, blocks(before_list).as_slice(), parameters.as_slice()].concat();
    let half = gzip(inform("HALF", &["2 PERIODIC"]).as_bytes());
    for (what, body, coding, status, says) in [
        ("a gzip bomb", [GZIP, spaces.as_slice()].concat(), "gzip", 413, "at most 16777216 bytes"),
        (
            "a deflate bomb",
            [DEFLATE, spaces.as_slice()].concat(),
            "deflate",
            413,
            "at most 16777216 bytes",
        ),
        ("a million parameters", million, "gzip", 413, "at most 16777216 bytes"),
        ("no gzip", b"hello".to_vec(), "gzip", 400, "compressed body is broken"),
        ("half a gzip", half[..half.len() / 2].to_vec(), "gzip", 400, "compressed body is broken"),
        ("no deflate", half.clone(), "deflate", 400, "compressed body is broken"),
        ("an unknown coding", half.clone(), "br", 415, "gzip and deflate"),
        ("two codings", half, "gzip, gzip", 415, "gzip and deflate"),
    ] {
        assert!(body.len() < HUNDRED_MB / 10, "{what} is small itself: {}", body.len());
        let before = refusals(&muster);
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let reply = cpe.post_with(&body, &[("Content-Encoding", coding)]).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
        assert!(reply.body.contains(says), "{what}: {}", reply.body);
        assert_eq!(refusals(&muster), before + 1, "{what}");
        serves_the_next(&muster).await;
    }
}

#[tokio::test]
async fn a_head_that_is_no_head_is_refused_by_its_status() {
    let muster = Muster::start(LAB).await;
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = "y".repeat(100_000);
    for (what, head, statuses) in [
        ("200 headers", format!("POST / HTTP/1.1\r\n{many}\r\n"), [431, 400]),
        ("a header of 100 kB", format!("POST / HTTP/1.1\r\nX-Long: {long}\r\n\r\n"), [431, 400]),
        ("a path of 100 kB", format!("POST /{long} HTTP/1.1\r\n\r\n"), [414, 431]),
        ("no HTTP", "hello\r\n\r\n".to_owned(), [400, 400]),
        ("a version to come", "POST / HTTP/9.9\r\n\r\n".to_owned(), [400, 505]),
        ("a negative length", head_of("Content-Length: -1"), [400, 400]),
        ("a length of words", head_of("Content-Length: ten"), [400, 400]),
        ("a length beyond numbers", head_of("Content-Length: 99999999999999999999"), [400, 413]),
        ("two lengths", head_of("Content-Length: 1\r\nContent-Length: 2"), [400, 400]),
        ("a broken chunk", format!("{CHUNKED}ZZ\r\n\r\n"), [400, 400]),
        ("a chunk beyond numbers", format!("{CHUNKED}FFFFFFFFFFFFFFFFFF\r\n"), [400, 413]),
    ] {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        // It may be refused before it is sent whole.
        let _ = cpe.send(head.as_bytes()).await;
        let reply = cpe.read().await.unwrap_or_else(|| panic!("{what}: no answer"));
        assert!(statuses.contains(&reply.status), "{what}: {reply:?}");
        serves_the_next(&muster).await;
    }
}

fn head_of(header: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: acs\r\n{header}\r\n\r\n")
}
