//! The SOAP codec as a whole: round trips of everything CWMP can say, the deviations of real devices,
//! and hostile input.

#[path = "codec/deviations.rs"]
mod deviations;
#[path = "codec/hostile.rs"]
mod hostile;
#[path = "codec/requests.rs"]
mod requests;
#[path = "codec/strategies.rs"]
mod strategies;

use muster_cwmp::decode::{DecodeError, decode};
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{Body, Envelope, Request, Response, SetParameterValues};
use muster_cwmp::value::{ParameterValue, ValueType};
use muster_cwmp::xml::Limits;
use proptest::prelude::*;
use proptest::sample::Index;

/// Decodes with the default caps and no Content-Type.
fn read(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    decode(bytes, None, &Limits::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_the_acs_dialect_writes_reads_back_the_same(envelope in strategies::envelope()) {
        let text = encode(&envelope, Dialect::Acs);
        prop_assert_eq!(read(text.as_bytes()), Ok(envelope), "{}", text);
    }

    #[test]
    fn what_the_routeros_dialect_writes_reads_back_the_same(envelope in strategies::envelope()) {
        let text = encode(&envelope, Dialect::RouterOs);
        prop_assert_eq!(read(text.as_bytes()), Ok(envelope), "{}", text);
    }

    #[test]
    fn replies_keep_the_style_that_clients_need(envelope in strategies::envelope()) {
        let text = encode(&envelope, Dialect::Acs);
        prop_assert!(text.starts_with("<soap-env:Envelope "), "S8: {}", text);
        prop_assert!(!text.contains("/>") && !text.contains("<?"), "S8, S10: {}", text);
        prop_assert!(!text.contains("encodingStyle"), "section 9.2: {}", text);
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        // No message fits into 512 random bytes; what matters is that nothing panics.
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_cut_message_is_refused(envelope in strategies::envelope(), at in any::<Index>()) {
        let text = encode(&envelope, Dialect::Acs);
        let cut = at.index(text.len());
        prop_assert!(read(&text.as_bytes()[..cut]).is_err());
    }

    #[test]
    fn a_damaged_message_never_panics_and_stays_one_message(
        envelope in strategies::envelope(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>(), 0..3_u8), 1..8),
    ) {
        let mut bytes = encode(&envelope, Dialect::RouterOs).into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.drain(at..(at + 1 + usize::from(byte % 16)).min(bytes.len()))),
            }
            prop_assume!(!bytes.is_empty());
        }
        if let Ok(damaged) = read(&bytes) {
            // Whatever was understood can be said again.
            let again = encode(&damaged, Dialect::Acs);
            prop_assert!(read(again.as_bytes()).is_ok(), "{}", again);
        }
    }
}

#[test]
fn a_request_is_written_as_section_5_wants_it() {
    let call = SetParameterValues {
        parameters: vec![
            ParameterValue::string("Device.A", "x<y"),
            ParameterValue::new("Device.B", "", ValueType::UnsignedInt),
        ],
        parameter_key: String::new(),
    };
    let body = Body::Request(Request::SetParameterValues(call));
    let mut envelope = Envelope::new("urn:dslforum-org:cwmp-1-2", Some("a&b".into()), body);
    envelope.hold_requests = Some(true);
    let expected = "<soap-env:Envelope \
        xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
        xmlns:soap-enc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
        xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
        xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\">\
        <soap-env:Header>\
        <cwmp:ID soap-env:mustUnderstand=\"1\">a&amp;b</cwmp:ID>\
        <cwmp:HoldRequests soap-env:mustUnderstand=\"1\">1</cwmp:HoldRequests>\
        </soap-env:Header>\
        <soap-env:Body><cwmp:SetParameterValues>\
        <ParameterList soap-enc:arrayType=\"cwmp:ParameterValueStruct[2]\">\
        <ParameterValueStruct><Name>Device.A</Name>\
        <Value xsi:type=\"xsd:string\">x&lt;y</Value></ParameterValueStruct>\
        <ParameterValueStruct><Name>Device.B</Name>\
        <Value xsi:type=\"xsd:unsignedInt\"></Value></ParameterValueStruct>\
        </ParameterList><ParameterKey></ParameterKey>\
        </cwmp:SetParameterValues></soap-env:Body></soap-env:Envelope>";
    assert_eq!(encode(&envelope, Dialect::Acs), expected);
}

#[test]
fn a_fault_carries_code_text_and_blame() {
    let fault = Fault::new(FaultCode::ACS_RETRY_REQUEST, "Retry request");
    let text =
        encode(&Envelope::new("urn:dslforum-org:cwmp-1-0", None, Body::Fault(fault)), Dialect::Acs);
    let expected = "<soap-env:Body><soap-env:Fault><faultcode>Server</faultcode>\
        <faultstring>CWMP fault</faultstring><detail><cwmp:Fault><FaultCode>8005</FaultCode>\
        <FaultString>Retry request</FaultString></cwmp:Fault></detail></soap-env:Fault>\
        </soap-env:Body>";
    assert!(text.contains(expected) && !text.contains("Header"), "{text}");
}

#[test]
fn what_xml_cannot_carry_is_left_out_of_a_value() {
    let values = vec![ParameterValue::string("Device.A", "a\u{0}\u{1b}b\u{fffe}\u{1f600}")];
    let body = Body::Response(Response::GetParameterValues(values));
    let text = encode(&Envelope::new("urn:dslforum-org:cwmp-1-0", None, body), Dialect::Acs);
    let expected = vec![ParameterValue::string("Device.A", "ab\u{1f600}")];
    let decoded = read(text.as_bytes()).expect("a valid message");
    assert_eq!(decoded.body, Body::Response(Response::GetParameterValues(expected)));
}

#[test]
fn an_unknown_method_cannot_smuggle_markup_into_the_answer() {
    let body = Body::UnknownMethod("1 a><b".into());
    let text = encode(&Envelope::new("urn:dslforum-org:cwmp-1-0", None, body), Dialect::Acs);
    assert!(text.contains("<soap-env:Body><cwmp:_1ab></cwmp:_1ab></soap-env:Body>"), "{text}");
}
