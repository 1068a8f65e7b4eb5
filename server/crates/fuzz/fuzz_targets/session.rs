//! Any order of events: the ACS session machine never panics, speaks in the session's namespace,
//! has at most the one call outstanding that it sent, and ends when the CPE falls silent.
//!
//! The input is cut at `|`. Nothing is an empty POST, `<...` a message, `+` a request stored, `!` a
//! store failure, `?<...` a call, `#<...` a call that holds, anything else the lack of work.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use muster_cwmp::acs::{AcsSession, Action, Call, Event};
use muster_cwmp::decode::decode;
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{Body, Envelope, Response};
use muster_cwmp::xml::Limits;

fuzz_target!(|data: &[u8]| play(data));

fn play(data: &[u8]) {
    let mut session = AcsSession::new();
    // What the driver still owes: a rejected event does not discharge it.
    let mut due = Action::End;
    for chunk in data.split(|byte| *byte == b'|') {
        let Some(event) = event(chunk.trim_ascii()) else { continue };
        let before = session.outstanding().cloned();
        let action = session.step(event);
        match &action {
            Action::Reject(_) => {
                assert_eq!(session.outstanding(), before.as_ref(), "a rejection changed the call");
                continue;
            }
            Action::Reply(envelope) => check_reply(&session, envelope),
            Action::Record(_) | Action::Settle(_) | Action::FetchWork | Action::End => {}
        }
        due = action;
    }
    assert!(ends_in_silence(&mut session, due), "wedged: {session:?}");
}

fn event(chunk: &[u8]) -> Option<Event> {
    Some(match chunk {
        [] => Event::Empty,
        [b'<', ..] => Event::Message(Box::new(message(chunk)?)),
        [b'+', ..] => Event::Recorded(Ok(Response::Inform { max_envelopes: 1 })),
        [b'!', ..] => Event::Recorded(Err(Fault::new(FaultCode::ACS_RETRY_REQUEST, "later"))),
        [b'?', xml @ ..] => Event::Work(Some(call(xml, false)?)),
        [b'#', xml @ ..] => Event::Work(Some(call(xml, true)?)),
        _ => Event::Work(None),
    })
}

fn message(xml: &[u8]) -> Option<Envelope> {
    decode(xml, None, &Limits::default()).ok()
}

fn call(xml: &[u8], hold: bool) -> Option<Call> {
    match message(xml)?.body {
        Body::Request(request) => Some(Call { request, id: "acs".to_owned(), hold }),
        Body::Response(_) | Body::Fault(_) | Body::UnknownMethod(_) => None,
    }
}

fn check_reply(session: &AcsSession, envelope: &Envelope) {
    assert_eq!(envelope.namespace, session.namespace());
    if let Body::Request(request) = &envelope.body {
        assert_eq!(session.outstanding().map(|call| &call.request), Some(request));
    }
    black_box(encode(envelope, Dialect::Acs));
}

/// A driver that does what `due` and the later actions say, without work, and a CPE that only
/// sends empty POSTs: whether the session ends, or awaits an Inform, within 20 steps.
fn ends_in_silence(session: &mut AcsSession, mut due: Action) -> bool {
    (0..20).any(|_| {
        let event = match &due {
            Action::Record(_) => Event::Recorded(Ok(Response::TransferComplete)),
            Action::Settle(_) | Action::FetchWork => Event::Work(None),
            Action::Reply(_) | Action::End | Action::Reject(_) => Event::Empty,
        };
        due = session.step(event);
        session.ended() || due == Action::End
    })
}
