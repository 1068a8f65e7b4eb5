//! Input that no device sends by accident: each ends in a clear refusal, or in sense.

use muster_cwmp::decode::{DEFAULT_NAMESPACE, DecodeError, decode};
use muster_cwmp::rpc::{Body, Request};
use muster_cwmp::xml::Limits;

use crate::read;

const INFORM: &str = "<c:Inform><DeviceId><SerialNumber>S</SerialNumber></DeviceId></c:Inform>";

fn soap(namespace: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:c='{namespace}'>\
         <s:Header><c:ID>7</c:ID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn cwmp(body: &str) -> String {
    soap("urn:dslforum-org:cwmp-1-0", body)
}

#[track_caller]
fn refused(text: &str) -> DecodeError {
    read(text.as_bytes()).expect_err("the message must be refused")
}

#[test]
fn nesting_ten_thousand_deep() {
    let deep = cwmp(&format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000)));
    assert_eq!(refused(&deep), DecodeError::TooDeep);
}

#[test]
fn a_million_parameters() {
    let list = "<P><Name>Device.A</Name><Value>1</Value></P>".repeat(1_000_000);
    let text = cwmp(&format!(
        "<c:GetParameterValuesResponse><ParameterList>{list}</ParameterList>\
         </c:GetParameterValuesResponse>"
    ));
    assert_eq!(refused(&text), DecodeError::TooLarge);
    let roomy = Limits { max_bytes: text.len(), ..Limits::default() };
    assert_eq!(decode(text.as_bytes(), None, &roomy), Err(DecodeError::TooManyElements));
}

#[test]
fn a_hundred_megabytes() {
    let body = vec![b' '; 100 * 1024 * 1024];
    assert_eq!(decode(&body, None, &Limits::default()), Err(DecodeError::TooLarge));
}

#[test]
fn entity_bombs_and_external_entities() {
    let bomb = format!(
        "<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>{}",
        cwmp("<c:Reboot><CommandKey>&b;</CommandKey></c:Reboot>")
    );
    assert_eq!(refused(&bomb), DecodeError::Doctype);
    let external = format!(
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}",
        cwmp("<c:Reboot><CommandKey>&x;</CommandKey></c:Reboot>")
    );
    assert_eq!(refused(&external), DecodeError::Doctype);
    let undeclared = cwmp("<c:Reboot><CommandKey>&x;</CommandKey></c:Reboot>");
    assert_eq!(refused(&undeclared), DecodeError::Malformed("undefined entity &x;".into()));
}

#[test]
fn many_character_references_cost_what_they_weigh() {
    let key = "&#65;".repeat(200_000);
    let text = cwmp(&format!("<c:Reboot><CommandKey>{key}</CommandKey></c:Reboot>"));
    let envelope = read(text.as_bytes()).expect("a valid message");
    assert_eq!(envelope.body, Body::Request(Request::Reboot("A".repeat(200_000))));
}

#[test]
fn duplicate_and_too_many_attributes() {
    let duplicate = cwmp("<c:Reboot><CommandKey a='1' a='2'></CommandKey></c:Reboot>");
    assert!(matches!(refused(&duplicate), DecodeError::Malformed(_)));
    let attributes: String = (0..100).map(|n| format!(" a{n}='1'")).collect();
    let many = cwmp(&format!("<c:Reboot{attributes}></c:Reboot>"));
    assert_eq!(refused(&many), DecodeError::TooManyAttributes);
}

#[test]
fn a_malformed_document_does_not_flood_the_log() {
    let text = cwmp(&format!("<{}></x>", "y".repeat(1_000_000)));
    let DecodeError::Malformed(reason) = refused(&text) else { panic!("not malformed") };
    assert!(reason.chars().count() <= 200);
}

#[test]
fn wrong_and_missing_namespaces_are_read_by_local_name() {
    for namespace in ["urn:example:other", "http://schemas.xmlsoap.org/soap/envelope/"] {
        let envelope = read(soap(namespace, INFORM).as_bytes()).expect("understood");
        assert_eq!(envelope.namespace, DEFAULT_NAMESPACE);
        assert!(matches!(envelope.body, Body::Request(Request::Inform(_))));
    }
}

#[test]
fn what_is_not_one_soap_message_is_refused() {
    assert_eq!(refused(""), DecodeError::NotSoap);
    assert_eq!(refused("<html><body>hello</body></html>"), DecodeError::NotSoap);
    assert_eq!(refused("<s:Envelope><s:Header/></s:Envelope>"), DecodeError::NotSoap);
    assert_eq!(refused(&cwmp("")), DecodeError::NoBodyChild);
    assert_eq!(refused(&cwmp(&INFORM.repeat(2))), DecodeError::SeveralBodyChildren);
    assert_eq!(refused(&cwmp(INFORM).repeat(2)), DecodeError::SeveralBodyChildren);
    let two_bodies = "<Envelope><Body><Reboot/></Body><Body><Reboot/></Body></Envelope>";
    assert_eq!(refused(two_bodies), DecodeError::SeveralBodyChildren);
}

#[test]
fn calls_that_mean_nothing_name_what_they_lack() {
    for (call, method, why) in [
        ("<c:Inform/>", "Inform", "DeviceId is missing"),
        ("<c:Inform><DeviceId/></c:Inform>", "Inform", "SerialNumber is empty"),
        ("<c:SetParameterValues/>", "SetParameterValues", "ParameterList is missing"),
        ("<c:GetParameterValues/>", "GetParameterValues", "ParameterNames is missing"),
        ("<c:AddObject/>", "AddObject", "ObjectName is missing"),
        ("<c:Download/>", "Download", "URL is missing"),
        (
            "<c:AddObjectResponse><InstanceNumber>-4</InstanceNumber></c:AddObjectResponse>",
            "AddObjectResponse",
            "InstanceNumber is missing or not positive",
        ),
        (
            "<c:ChangeDUState><Operations><URL>u</URL></Operations></c:ChangeDUState>",
            "ChangeDUState",
            "the type of an operation is missing or unknown",
        ),
    ] {
        let expected = DecodeError::InvalidArguments {
            namespace: "urn:dslforum-org:cwmp-1-0".into(),
            id: Some("7".into()),
            method: method.into(),
            why: why.into(),
        };
        assert_eq!(refused(&cwmp(call)), expected);
    }
}

#[test]
fn a_method_cwmp_does_not_name_is_reported_by_name() {
    for name in ["X_VENDOR_Dance", "X_VENDOR_DanceResponse"] {
        let envelope = read(cwmp(&format!("<c:{name}/>")).as_bytes()).expect("understood");
        assert_eq!(envelope.body, Body::UnknownMethod(name.into()));
    }
}

#[test]
fn numbers_out_of_range_become_defaults() {
    let call = "<c:Inform><DeviceId><SerialNumber>S</SerialNumber></DeviceId>\
                <MaxEnvelopes>-1</MaxEnvelopes><RetryCount>99999999999</RetryCount></c:Inform>";
    let Body::Request(Request::Inform(inform)) =
        read(cwmp(call).as_bytes()).expect("understood").body
    else {
        panic!("not an Inform");
    };
    assert_eq!((inform.max_envelopes, inform.retry_count), (0, 0));
}
