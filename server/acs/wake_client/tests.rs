//! Scripted devices over loopback.

#![expect(clippy::unwrap_used, reason = "tests")]

use muster_cwmp::digest::{Algorithm, Authorization, DigestCredentials, ha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const DIGEST: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\
    WWW-Authenticate: Digest realm=\"cpe\", nonce=\"abc\", qop=\"auth\"\r\n\r\nbody";

/// A device that serves these connections, giving on each these answers in order and then closing
/// it; ends with the request heads that it saw.
async fn device(script: &[&[&str]]) -> (WakeTarget, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script: Vec<Vec<String>> = script
        .iter()
        .map(|answers| match answers {
            // Reads its request all the same, so that the close is no reset.
            [] => vec![String::new()],
            answers => answers.iter().map(|answer| (*answer).to_owned()).collect(),
        })
        .collect();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        for answers in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                seen.push(head(&mut stream).await);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        seen
    });
    let url = format!("http://{address}/wake?id=1");
    (WakeTarget { url, username: "user".to_owned(), password: "secret".to_owned() }, task)
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn policy() -> WakePolicy {
    WakePolicy { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..WakePolicy::default() }
}

/// Runs one connection request against a script; its result and what the device saw.
async fn run(script: &[&[&str]], policy: &WakePolicy) -> (Result<(), WakeError>, Vec<String>) {
    let (target, task) = device(script).await;
    let result = connection_request(&target, policy).await;
    (result, task.await.unwrap())
}

fn authorization(head: &str) -> Option<DigestCredentials> {
    let value = head.lines().find_map(|line| line.strip_prefix("Authorization: "))?;
    match Authorization::parse(value).unwrap() {
        Authorization::Digest(digest) => Some(digest),
        Authorization::Basic { .. } => panic!("the password was sent in clear"),
    }
}

fn assert_answered(head: &str) {
    let digest = authorization(head).unwrap();
    assert_eq!(digest.uri, "/wake?id=1");
    assert!(digest.verify("GET", &ha1(Algorithm::Md5, "user", "cpe", "secret")));
}

#[tokio::test]
async fn a_device_without_authentication_is_woken() {
    for answer in [OK, "HTTP/1.0 204 No Content\r\n\r\n"] {
        let (result, seen) = run(&[&[answer]], &policy()).await;
        result.unwrap();
        assert!(seen[0].starts_with("GET /wake?id=1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{}", seen[0]);
        assert!(authorization(&seen[0]).is_none());
    }
}

#[tokio::test]
async fn a_digest_challenge_is_answered_on_the_same_connection() {
    let (result, seen) = run(&[&[DIGEST, OK]], &policy()).await;
    result.unwrap();
    assert_answered(&seen[1]);
}

#[tokio::test]
async fn a_connection_that_ends_after_the_challenge_is_made_anew() {
    let (result, seen) = run(&[&[DIGEST], &[OK]], &policy()).await;
    result.unwrap();
    assert_answered(&seen[1]);
}

/// Deviation 21 and K2: three folded lines, neither length nor body, then the connection closes.
#[tokio::test]
async fn a_folded_challenge_without_length_is_answered() {
    let script: &[&[&str]] = &[
        &["HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cpe\",\r\n \
           qop=\"auth\",\r\n\tnonce=\"abc\"\r\n\r\n"],
        &[OK],
    ];
    let (result, seen) = run(script, &policy()).await;
    result.unwrap();
    assert_answered(&seen[1]);
}

#[tokio::test]
async fn hanging_up_after_the_answer_counts_as_asked() {
    let (result, seen) = run(&[&[DIGEST], &[]], &policy()).await;
    result.unwrap();
    assert_answered(&seen[1]);
}

#[tokio::test]
async fn hanging_up_at_once_does_not() {
    let (result, _) = run(&[&[]], &policy()).await;
    assert!(matches!(result, Err(WakeError::Closed { .. })), "{result:?}");
}

#[tokio::test]
async fn basic_is_answered_only_if_allowed() {
    const BASIC: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\
        WWW-Authenticate: Basic realm=\"cpe\"\r\n\r\n";
    let (result, seen) = run(&[&[BASIC]], &policy()).await;
    assert!(matches!(result, Err(WakeError::Challenge { .. })), "{result:?}");
    assert_eq!(seen.len(), 1);

    let (result, seen) = run(&[&[BASIC, OK]], &WakePolicy { allow_basic: true, ..policy() }).await;
    result.unwrap();
    // base64 of user:secret
    assert!(seen[1].contains("Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "{}", seen[1]);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let (result, _) = run(&[&[DIGEST, DIGEST]], &policy()).await;
    assert!(matches!(result, Err(WakeError::Credentials { .. })), "{result:?}");
    let (result, _) = run(&[&["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]], &policy()).await;
    assert!(matches!(result, Err(WakeError::Busy { .. })), "{result:?}");
    let (result, _) = run(&[&["HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]], &policy()).await;
    assert!(matches!(result, Err(WakeError::Status { status: 404, .. })), "{result:?}");
    let (result, _) = run(&[&["SSH-2.0-ROSSSH\r\n\r\n"]], &policy()).await;
    assert!(matches!(result, Err(WakeError::NotHttp { .. })), "{result:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let (result, seen) = run(&[&[redirect]], &policy()).await;
    assert!(matches!(result, Err(WakeError::Redirected { .. })), "{result:?}");
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn an_endless_head_is_cut() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD_BYTES));
    // The device may fail to write all of it, so its end is not looked at.
    let (target, _device) = device(&[&[endless.as_str()]]).await;
    let result = connection_request(&target, &policy()).await;
    assert!(matches!(result, Err(WakeError::NotHttp { .. })), "{result:?}");
}

#[tokio::test]
async fn a_silent_device_is_given_up_with_a_hint() {
    // Accepted by the kernel, never read.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = WakeTarget {
        url: format!("http://{address}/"),
        username: String::new(),
        password: String::new(),
    };
    let policy = WakePolicy { timeout: Duration::from_millis(500), ..policy() };
    let text = connection_request(&target, &policy).await.unwrap_err().to_string();
    assert!(text.contains(&format!("{address} did not answer within 0.5 s")), "{text}");
    assert!(text.contains("NAT"), "{text}");
    drop(listener);
    let error = connection_request(&target, &policy).await.unwrap_err();
    assert!(matches!(error, WakeError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn addresses_of_ours_are_forbidden() {
    let own = WakePolicy { forbidden: vec!["10.0.0.0/8".parse().unwrap()], ..Default::default() };
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "10.1.2.3",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.1.2.3]",
    ] {
        let target = WakeTarget {
            url: format!("http://{host}:7547/"),
            username: String::new(),
            password: String::new(),
        };
        let result = connection_request(&target, &own).await;
        assert!(matches!(result, Err(WakeError::Forbidden(_))), "{host}: {result:?}");
    }
}

#[test]
fn an_exception_beats_what_is_forbidden() {
    let policy = WakePolicy {
        forbidden: vec!["10.0.0.0/8".parse().unwrap()],
        allowed: vec!["10.7.0.0/16".parse().unwrap()],
        ..Default::default()
    };
    let permits = |address: &str| policy.permits(address.parse().unwrap());
    assert!(permits("10.7.1.1") && permits("192.0.2.1") && permits("2001:db8::1"));
    assert!(permits("::ffff:10.7.1.1"));
    assert!(!permits("10.8.1.1") && !permits("127.0.0.1"));
}

#[test]
fn unusable_urls_are_refused() {
    let error = |url: &str| Place::new(url).err().unwrap();
    assert!(matches!(error("  "), WakeError::NoUrl));
    assert!(matches!(error("https://192.0.2.1/"), WakeError::Https));
    for url in ["(null)", "http://", "ftp://192.0.2.1/", "http://192.0.2.1:99999/"] {
        assert!(matches!(error(url), WakeError::BadUrl(_)), "{url}");
    }
    let long = format!("http://192.0.2.1/{}", "a".repeat(MAX_URL_BYTES));
    assert!(matches!(error(&long), WakeError::BadUrl(_)));
}

#[test]
fn a_url_is_taken_apart() {
    let place = Place::new(" http://[2001:db8::1]:30005/a%20b?c=d#e ").unwrap();
    assert_eq!(place.authority, "[2001:db8::1]:30005");
    assert_eq!(place.target, "/a%20b?c=d");
    let place = Place::new("http://cpe.example").unwrap();
    assert_eq!((place.authority.as_str(), place.target.as_str()), ("cpe.example", "/"));
    assert_eq!(place.device, "cpe.example:80");
}

#[test]
fn the_password_is_not_shown() {
    let target = WakeTarget { url: String::new(), username: String::new(), password: "pw".into() };
    assert!(!format!("{target:?}").contains("pw"));
}
