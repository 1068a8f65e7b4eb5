//! The generator against a small server of canned replies.

#![expect(clippy::unwrap_used, reason = "tests")]

use muster_cwmp::decode::decode;
use muster_cwmp::xml::Limits;
use tokio::net::TcpListener;

use super::*;

const INFORM_RESPONSE: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: id=abc; Path=/; HttpOnly\r\n\
                               content-length: 5\r\n\r\n<x/>\n";
const REFUSAL: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\
                       WWW-Authenticate: Digest realm=\"acs\", qop=\"auth\", nonce=\"n\"\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

fn options(acs_addr: SocketAddr) -> LoadOptions {
    LoadOptions {
        acs_addr,
        path: "/acs".to_owned(),
        devices: 3,
        connections: 2,
        duration: Duration::from_millis(200),
        warmup: Duration::ZERO,
        mode: Mode::Closed,
        digest: None,
        params_per_inform: 22,
    }
}

/// Reads one request: its head, and its body's length.
async fn request(stream: &mut TcpStream) -> Option<(String, usize)> {
    let mut buffer = Vec::new();
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head.split("Content-Length: ").nth(1).unwrap();
            let length = length.split("\r\n").next().unwrap().parse().unwrap();
            while buffer.len() < end + 4 + length {
                assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0);
            }
            return Some((head, length));
        }
        if stream.read_buf(&mut buffer).await.unwrap() == 0 {
            return None;
        }
    }
}

/// Answers the n-th request of each connection by the n-th reply.
async fn server(replies: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut challenged = false;
                for reply in replies {
                    let Some((head, length)) = request(&mut stream).await else { return };
                    assert!(head.starts_with("POST /acs HTTP/1.1\r\n"));
                    let empty = length == 0;
                    assert_eq!(empty, *reply == NO_CONTENT, "{head}");
                    assert_eq!(empty, head.contains("\r\nCookie: id=abc"), "{head}");
                    let proved = head.contains("\r\nAuthorization: Digest username=\"u\"");
                    assert_eq!(proved, challenged, "{head}");
                    challenged |= *reply == REFUSAL;
                    stream.write_all(reply.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn the_inform_is_real_and_patched() {
    let template = Template::render(&options(SocketAddr::from(([127, 0, 0, 1], 1))));
    let mut body = template.body.clone();
    template.patch(&mut body, 0xAB);
    let envelope = decode(&body, Some("text/xml"), &Limits::default()).unwrap();
    let Body::Request(Request::Inform(inform)) = envelope.body else { panic!("no Inform") };
    assert_eq!(inform.device_id.serial_number, "0000000000AB");
    assert_eq!(inform.parameters.len(), 22);
    assert!(inform.parameters.iter().all(|p| p.value != PLACEHOLDER));
    assert!((3_000..6_000).contains(&body.len()), "{}", body.len());
}

#[test]
fn heads_are_read_or_refused() {
    let head = parse_head(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest a\r\nwww-authenticate: Basic\r\n\
         Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nContent-Length: 7",
    );
    let head = head.unwrap();
    assert_eq!((head.status, head.length, head.cookie.as_str()), (401, 7, "a=1; b=2"));
    assert_eq!(head.challenges, ["Digest a", "Basic"]);
    for bad in ["", "HTTP/2 200", "HTTP/1.1 x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"] {
        assert_eq!(parse_head(bad), None, "{bad}");
    }
    assert_eq!(parse_head("HTTP/1.1 200 OK\r\nContent-Length: 99999999999"), None);
}

#[tokio::test]
async fn closed_loop_counts_whole_sessions() {
    let address = server(&[INFORM_RESPONSE, NO_CONTENT]).await;
    let report = run_load(options(address)).await.unwrap();
    assert!(report.sessions > 0);
    assert_eq!((report.errors, report.with_work), (0, 0));
    assert!(report.p50 <= report.p99 && report.p99 <= report.max);
}

#[tokio::test]
async fn digest_sessions_answer_the_challenge() {
    let address = server(&[REFUSAL, INFORM_RESPONSE, NO_CONTENT]).await;
    let mut options = options(address);
    options.digest = Some(("u".to_owned(), "p".to_owned()));
    let report = run_load(options).await.unwrap();
    assert!(report.sessions > 0);
    assert_eq!(report.errors, 0);
}

#[tokio::test]
async fn open_loop_keeps_to_its_rate_and_counts_work() {
    let work = "HTTP/1.1 200 OK\r\nSet-Cookie: id=abc\r\nContent-Length: 4\r\n\r\n<a/>";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                if request(&mut stream).await.is_some() {
                    stream.write_all(work.as_bytes()).await.unwrap();
                }
            }
        }
    });
    let mut options = options(address);
    options.mode = Mode::Open { rate: 50.0 };
    let report = run_load(options).await.unwrap();
    assert_eq!(report.sessions, 0);
    assert!((1..=10).contains(&report.with_work), "{report:?}");
}

#[tokio::test]
async fn a_dead_acs_is_errors_not_a_hang() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = run_load(options(address)).await.unwrap();
    assert_eq!(report.sessions, 0);
    assert!(report.errors > 0);
}
