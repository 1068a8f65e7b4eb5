//! Messages that are no messages: 400 and a sentence, and neither the connection nor the session
//! that they come in is harmed.

use super::{refusals, serves_the_next};
use crate::acs::{finish, opened};
use crate::harness::cpe::{Cpe, envelope, inform};
use crate::harness::{LAB, Muster};

/// What it is, the bytes, and what the answer must say.
type Case = (&'static str, Vec<u8>, &'static str);

/// Bytes that mean nothing, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn no_xml() -> Vec<Case> {
    let good = inform("NEVER", &["2 PERIODIC"]);
    vec![
        ("words", b"this is not XML".to_vec(), "malformed XML"),
        ("noise", noise(4_096), "malformed XML"),
        ("noise in tags", [b"<a>".to_vec(), noise(4_096)].concat(), "malformed XML"),
        ("zeros", vec![0; 1_000], "not a SOAP message"),
        ("brackets", b"<<<<>>>>".to_vec(), "malformed XML"),
        ("half a message", good.as_bytes()[..good.len() / 2].to_vec(), "malformed XML"),
        ("all but the end", good.as_bytes()[..good.len() - 5].to_vec(), "malformed XML"),
        ("crossed tags", good.replace("</DeviceId>", "</Device>").into(), "malformed XML"),
        ("no quotes", good.replace("<Event ", "<Event a=1 ").into(), "malformed XML"),
        ("an ampersand", good.replace("MikroTik", "A & B").into(), "malformed XML"),
        ("a reference to nothing", good.replace("MikroTik", "&#0;").into(), "malformed XML"),
        ("an entity of HTML", good.replace("MikroTik", "&eacute;").into(), "undefined entity"),
        (
            "an attribute twice",
            good.replace("<Event ", "<Event a='1' a='2' ").into(),
            "malformed XML",
        ),
        (
            "a recorded ampersand",
            include_bytes!("../recordings/messages/malformed-ampersand.xml").to_vec(),
            "malformed XML",
        ),
        (
            "recorded HTML",
            include_bytes!("../recordings/messages/malformed-html-mangled.xml").to_vec(),
            "malformed XML",
        ),
        (
            "a recorded truncation",
            include_bytes!("../recordings/messages/malformed-truncated.xml").to_vec(),
            "malformed XML",
        ),
    ]
}

fn no_soap() -> Vec<Case> {
    let good = inform("NEVER", &["2 PERIODIC"]);
    let body = good.find("<soapenv:Body>").unwrap();
    let headless = format!("{}</soapenv:Envelope>", &good[..body]);
    vec![
        ("HTML", b"<html><body>hello</body></html>".to_vec(), "not a SOAP message"),
        ("only a declaration", b"<?xml version='1.0'?>".to_vec(), "not a SOAP message"),
        ("no Body", headless.into(), "not a SOAP message"),
        ("an empty Body", envelope("").into(), "Body is empty"),
        ("text in the Body", envelope("Inform").into(), "Body is empty"),
    ]
}

/// What costs a naive parser its memory, its stack, or a file of ours.
fn attacks() -> Vec<Case> {
    let good = inform("NEVER", &["2 PERIODIC"]);
    let (open, close) = ("<a>".repeat(10_000), "</a>".repeat(10_000));
    let million = "<P/>".repeat(1_000_000);
    let attributes: String = (0..1_000).map(|n| format!(" a{n}=''")).collect();
    let levels: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let bomb = format!("<!DOCTYPE b [<!ENTITY l0 \"lol\">{levels}]>");
    let file = "<!DOCTYPE b [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    let quadratic = format!("<!DOCTYPE b [<!ENTITY x \"{}\">]>", "x".repeat(100_000));
    let doctype = "document type declaration";
    vec![
        ("10,000 deep", format!("{open}{close}").into(), "nested too deeply"),
        ("10,000 deep in a Body", envelope(&format!("{open}{close}")).into(), "too deeply"),
        ("10,000 deep, unclosed", open.into(), "nested too deeply"),
        (
            "a million parameters",
            good.replace("</ParameterList>", &format!("{million}</ParameterList>")).into(),
            "too many elements",
        ),
        (
            "a thousand attributes",
            good.replace("<Event ", &format!("<Event{attributes} ")).into(),
            "too many attributes",
        ),
        ("a DOCTYPE", format!("<!DOCTYPE b>{good}").into(), doctype),
        ("a billion laughs", format!("{bomb}{}", good.replace("NEVER", "&l9;")).into(), doctype),
        ("a file", format!("{file}{}", good.replace("NEVER", "&x;")).into(), doctype),
        (
            "a quadratic blow-up",
            format!("{quadratic}{}", good.replace("NEVER", &"&x;".repeat(10_000))).into(),
            doctype,
        ),
    ]
}

#[tokio::test]
async fn what_is_no_message_gets_400_and_a_sentence_and_harms_nothing() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "INNOCENT").await;
    for (what, body, says) in no_xml().into_iter().chain(no_soap()).chain(attacks()) {
        let before = refusals(&muster);
        let reply = cpe.post_with(&body, &[("Content-Type", "text/xml")]).await;
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        assert!(reply.body.contains(says), "{what}: {}", reply.body);
        assert!(reply.body.len() < 500 && !reply.body.contains("root:"), "{what}: {}", reply.body);
        assert_eq!(refusals(&muster), before + 1, "{what}: a line in the log");
        serves_the_next(&muster).await;
    }
    assert!(muster.log().contains("127.0.0.1"), "the log says who it was");
    assert!(finish(&mut cpe).await.len() >= 3, "the session they came in goes on");
    let items = muster.get("/api/v1/devices").await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2, "INNOCENT and GOOD, nobody else: {items}");
}

/// The same outside any session, each on a connection of its own.
#[tokio::test]
async fn garbage_from_a_stranger_is_answered_the_same_way() {
    let muster = Muster::start(LAB).await;
    for (what, body, says) in no_xml().into_iter().chain(no_soap()) {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let reply = cpe.post_with(&body, &[("Content-Type", "text/xml")]).await;
        assert_eq!(reply.status, 400, "{what}");
        assert!(reply.body.contains(says), "{what}: {}", reply.body);
        let reply = cpe.post(&inform("GOOD", &["2 PERIODIC"])).await;
        assert_eq!(reply.status, 200, "{what}: the same connection may do better");
    }
}
