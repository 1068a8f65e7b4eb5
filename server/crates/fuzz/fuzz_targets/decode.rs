//! A body of any bytes: decoding never panics, and what was decoded comes back from either dialect
//! of the encoder as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_cwmp::decode::decode;
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::rpc::{Body, Envelope, Request};
use muster_cwmp::xml::{Limits, is_xml_char, to_text};

fuzz_target!(|data: &[u8]| round_trip(data));

fn round_trip(data: &[u8]) {
    let limits = Limits::default();
    let _ = decode(data, Some("text/xml; charset=ISO-8859-1"), &limits);
    let Ok(envelope) = decode(data, None, &limits) else { return };
    if lossy(data, &envelope) {
        return;
    }
    let expected = carried(envelope);
    for dialect in [Dialect::Acs, Dialect::RouterOs] {
        let text = encode(&expected, dialect);
        let actual = decode(text.as_bytes(), None, &limits);
        assert_eq!(actual.as_ref(), Ok(&expected), "{dialect:?}: {text}");
    }
}

/// Whether the encoder must leave something out: characters that XML forbids (S9), white space in
/// a namespace, the odd name of an unknown method.
fn lossy(data: &[u8], envelope: &Envelope) -> bool {
    matches!(envelope.body, Body::UnknownMethod(_))
        || !to_text(data, None).chars().all(is_xml_char)
        || envelope.namespace.chars().any(|c| c.is_control() || !is_xml_char(c))
}

/// Without what a decoder forgives and no schema carries.
fn carried(mut envelope: Envelope) -> Envelope {
    match &mut envelope.body {
        Body::Request(Request::Inform(inform)) => {
            // White space that stood behind a separator which the normalisation took away.
            let oui = &mut inform.device_id.oui;
            *oui = oui.trim_matches(['\t', '\r', '\n']).to_owned();
        }
        Body::Request(Request::DuStateChangeComplete(complete)) => {
            // A member of the autonomous form alone.
            complete.results.iter_mut().for_each(|result| result.operation_performed.clear());
        }
        Body::Request(_) | Body::Response(_) | Body::Fault(_) | Body::UnknownMethod(_) => {}
    }
    envelope
}
