//! Who is let in (TR-069 3.4.5, facts U1 to U5): challenges, Digest in its forms, Basic, replays,
//! and wrong passwords.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster_cwmp::digest::{Challenge, answer as digest};

use super::{answer_all, decoded, finish, is_known};
use crate::harness::cpe::{Cpe, Reply, inform};
use crate::harness::{LAB, Muster};

/// User and password.
pub type Login = (String, String);

/// The Digest challenge of this algorithm in a 401.
fn challenge(reply: &Reply, algorithm: &str) -> Challenge {
    assert_eq!(reply.status, 401, "{reply:?}");
    let mut offers = reply.all("www-authenticate");
    offers.retain(|offer| offer.contains(&format!("algorithm={algorithm}")));
    Challenge::parse(&offers, false).unwrap()
}

/// Answers a challenge for a POST to this URI.
fn proof(challenge: &Challenge, login: &Login, uri: &str) -> String {
    digest(challenge, &login.0, &login.1, "POST", uri, "0a4f113b", 1)
}

/// Informs with this Authorization.
async fn authorized(cpe: &mut Cpe, message: &str, authorization: &str) -> Reply {
    let headers = [("Content-Type", "text/xml"), ("Authorization", authorization)];
    cpe.post_with(message.as_bytes(), &headers).await
}

/// Informs as a CPE does: once for the challenge, and once more with the answer to it.
pub async fn login(cpe: &mut Cpe, message: &str, as_whom: &Login) -> Reply {
    let asked = challenge(&cpe.post(message).await, "MD5");
    authorized(cpe, message, &proof(&asked, as_whom, "/")).await
}

fn basic(login: &Login) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", login.0, login.1)))
}

fn stale(reply: &Reply) -> bool {
    assert_eq!(reply.status, 401, "{reply:?}");
    reply.all("www-authenticate").iter().any(|offer| offer.contains("stale=true"))
}

/// The same password, one letter off.
fn wrong(login: &Login) -> Login {
    (login.0.clone(), format!("{}x", login.1))
}

#[tokio::test]
async fn the_challenge_offers_md5_first_then_sha_256_and_no_basic_in_clear() {
    let mut muster = Muster::start(&[]).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = cpe.post(&inform("ASKED", &["0 BOOTSTRAP"])).await;
    assert_eq!(reply.status, 401);
    let offers = reply.all("www-authenticate");
    assert_eq!(offers.len(), 2, "{offers:?}");
    for (offer, algorithm) in offers.iter().zip(["MD5", "SHA-256"]) {
        assert!(offer.starts_with("Digest "), "{offer}");
        assert!(offer.contains(&format!("algorithm={algorithm}")), "{offer}");
        assert!(offer.contains("qop=\"auth\"") && offer.contains("nonce=\""), "{offer}");
        assert!(!offer.contains("stale=true"), "{offer}");
    }
    assert_eq!(reply.header("connection"), None);
    assert_eq!(reply.cookie(), None, "no session before the proof");
    assert!(!is_known(&mut muster, "ASKED").await);
    assert!(!muster.log().contains("acs.auth is \"none\""));
}

#[tokio::test]
async fn digest_is_taken_in_every_form_that_devices_send() {
    let mut muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let forms = [("MD5", true), ("MD5", false), ("SHA-256", true), ("SHA-256", false)];
    for (n, (algorithm, qop)) in forms.into_iter().enumerate() {
        // U4: an empty URI, one that a proxy made absolute, one with a query.
        for (m, uri) in ["/", "", "http://acs.example/", "/?x=1"].into_iter().enumerate() {
            let serial = format!("FORM{n}{m}");
            let message = inform(&serial, &["2 PERIODIC"]);
            let mut cpe = Cpe::connect(muster.cwmp).await;
            let mut asked = challenge(&cpe.post(&message).await, algorithm);
            let Challenge::Digest(terms) = &mut asked else { panic!("no Digest") };
            terms.qop_auth = qop;
            let authorization = proof(&asked, &enrolment, uri);
            assert_eq!(authorization.contains("qop="), qop);
            decoded(&authorized(&mut cpe, &message, &authorization).await);
            assert!(is_known(&mut muster, &serial).await, "{algorithm} {qop} {uri:?}");
        }
    }
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let message = inform("ELSEWHERE", &["2 PERIODIC"]);
    let asked = challenge(&cpe.post(&message).await, "MD5");
    let elsewhere = proof(&asked, &enrolment, "/other");
    assert_eq!(authorized(&mut cpe, &message, &elsewhere).await.status, 401, "not our path");
}

/// U2, U3: the proof is for the session that it opens, and is not asked for within it.
#[tokio::test]
async fn a_replay_in_another_session_fails_and_only_the_nonce_is_to_blame() {
    let mut muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let message = inform("VICTIM", &["2 PERIODIC"]);
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let asked = challenge(&cpe.post(&message).await, "MD5");
    let authorization = proof(&asked, &enrolment, "/");
    decoded(&authorized(&mut cpe, &message, &authorization).await);

    let mut thief = Cpe::connect(muster.cwmp).await;
    for serial in ["VICTIM", "THIEF"] {
        let message = inform(serial, &["2 PERIODIC"]);
        assert!(stale(&authorized(&mut thief, &message, &authorization).await), "{serial}");
    }
    assert!(!is_known(&mut muster, "THIEF").await);

    // The session it opened is not harmed, with the header sent along or without.
    let reply = cpe.post_with(b"", &[("Authorization", &authorization)]).await;
    decoded(&reply);
    assert!(answer_all(&mut cpe, reply).await.len() >= 3);
    // And with a new nonce the next one opens.
    decoded(&login(&mut thief, &message, &enrolment).await);
}

#[tokio::test]
async fn a_nonce_that_is_not_ours_is_worth_nothing() {
    let muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let message = inform("FORGED", &["2 PERIODIC"]);
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let asked = challenge(&cpe.post(&message).await, "MD5");
    let Challenge::Digest(terms) = &asked else { panic!("{asked:?}") };
    let mut altered = terms.nonce.clone();
    let last = if altered.pop() == Some('A') { 'Q' } else { 'A' };
    altered.push(last);
    for nonce in [altered.as_str(), "", "AAAA", &"A".repeat(43)] {
        let mut terms = terms.clone();
        terms.nonce = nonce.to_owned();
        let authorization = proof(&Challenge::Digest(terms), &enrolment, "/");
        let reply = authorized(&mut cpe, &message, &authorization).await;
        assert!(!stale(&reply), "{nonce:?}");
    }
    for garbage in ["", "Digest", "Digest username=", "Bearer x", "Basic !!", "\"", "Digest ,,,="] {
        assert!(!stale(&authorized(&mut cpe, &message, garbage).await), "{garbage:?}");
    }
}

#[tokio::test]
async fn basic_is_refused_in_clear_and_taken_by_policy() {
    let mut muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let message = inform("BASIC", &["2 PERIODIC"]);
    let mut cpe = Cpe::connect(muster.cwmp).await;
    assert_eq!(authorized(&mut cpe, &message, &basic(&enrolment)).await.status, 401);
    assert!(!is_known(&mut muster, "BASIC").await);

    let muster = Muster::start(&[("MUSTER_ACS__OFFER_BASIC", "always")]).await;
    let enrolment = muster.enrolment();
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let asked = cpe.post(&message).await;
    let offers = asked.all("www-authenticate");
    assert_eq!(offers.len(), 3, "{offers:?}");
    assert!(offers[2].starts_with("Basic "), "last, for the poorest: {offers:?}");
    assert_eq!(authorized(&mut cpe, &message, &basic(&wrong(&enrolment))).await.status, 401);
    decoded(&authorized(&mut cpe, &message, &basic(&enrolment)).await);
    assert!(finish(&mut cpe).await.len() >= 3);
}

#[tokio::test]
async fn wrong_credentials_are_logged_once_and_lock_nobody_out() {
    let mut muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let message = inform("GUESSER", &["2 PERIODIC"]);
    let mut cpe = Cpe::connect(muster.cwmp).await;
    for guess in 0..25 {
        let guessed = (enrolment.0.clone(), format!("guess-{guess}"));
        assert!(!stale(&login(&mut cpe, &message, &guessed).await), "guess {guess}");
    }
    let log = muster.log();
    let lines: Vec<&str> = log.lines().filter(|l| l.contains("wrong credentials")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("127.0.0.1") && lines[0].contains(&enrolment.0), "{lines:?}");
    assert!(!log.contains("guess-"), "what was tried is not logged");
    assert!(!is_known(&mut muster, "GUESSER").await);
    // Many devices share an address: whoever has the right one is let in, also right after.
    decoded(&login(&mut cpe, &message, &enrolment).await);
}

/// N1: some agents probe for the challenge with an empty POST.
#[tokio::test]
async fn an_empty_post_before_the_inform_is_a_question() {
    let muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let asked = challenge(&cpe.empty().await, "MD5");
    let message = inform("PROBES", &["2 PERIODIC"]);
    decoded(&authorized(&mut cpe, &message, &proof(&asked, &enrolment, "/")).await);
    assert!(finish(&mut cpe).await.len() >= 3, "on the same connection");

    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = cpe.empty().await;
    assert_eq!((reply.status, reply.header("connection")), (204, None));
    decoded(&cpe.post(&message).await);
}

#[tokio::test]
async fn no_authentication_is_loud() {
    let muster = Muster::start(LAB).await;
    let log = muster.log();
    let line = log.lines().find(|line| line.contains("acs.auth is \"none\"")).unwrap();
    assert!(line.contains("WARN"), "{line}");
}
