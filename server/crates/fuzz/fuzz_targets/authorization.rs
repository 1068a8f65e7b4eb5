//! Authentication headers of any bytes: reading `Authorization` and `WWW-Authenticate` never
//! panics, nothing is accepted by chance, and our answer to a challenge is one that we would take.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_cwmp::digest::{Authorization, Challenge, HeaderError, NonceState, Nonces, answer, ha1};

const USER: &str = "DOMAIN\\device \"1\"";
const PASSWORD: &str = "pass:word";

fuzz_target!(|data: &[u8]| read(&String::from_utf8_lossy(data)));

fn read(text: &str) {
    // Only a seal made with this key is ours.
    let nonces = Nonces { key: [7; 32] };
    assert_eq!(nonces.verify(text, 1_800_000_000, 600), NonceState::Forged);
    if let Ok(Authorization::Digest(digest)) = Authorization::parse(text) {
        let secret = ha1(digest.algorithm, &digest.username, &digest.realm, PASSWORD);
        assert!(!digest.verify("POST", &secret), "a proof without the password");
        let _ = digest.uri_names("/");
    }
    let lines: Vec<&str> = text.lines().collect();
    for allow_basic in [false, true] {
        if let Ok(challenge) = Challenge::parse(&lines, allow_basic) {
            assert!(allow_basic || challenge != Challenge::Basic);
            // HTTP headers hold no control characters, and the answer leaves them out.
            if !lines.iter().any(|line| line.chars().any(char::is_control)) {
                take(&challenge);
            }
        }
    }
}

/// Reads our own answer as the other side would.
fn take(challenge: &Challenge) {
    let header = answer(challenge, USER, PASSWORD, "GET", "/cr", "0a4f113b", 1);
    match (challenge, Authorization::parse(&header)) {
        (Challenge::Basic, Ok(Authorization::Basic { username, password })) => {
            assert_eq!((username.as_str(), password.as_str()), (USER, PASSWORD));
        }
        (Challenge::Digest(_), Ok(Authorization::Digest(digest))) => {
            let secret = ha1(digest.algorithm, USER, &digest.realm, PASSWORD);
            assert!(digest.username == USER && digest.verify("GET", &secret), "{header}");
        }
        // Escapes make the answer longer than the challenge was.
        (Challenge::Digest(_), Err(HeaderError::TooLong)) => {}
        (_, taken) => panic!("{header} was read as {taken:?}"),
    }
}
