//! Facts section 7: what real devices do instead of what the standard says, one fixture each.

use muster_cwmp::decode::{DecodeError, decode};
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::fault::FaultCode;
use muster_cwmp::rpc::{
    Body, Envelope, EventCode, Inform, ParameterInfo, Request, Response, TransferComplete,
};
use muster_cwmp::value::{ParameterValue, ValueType};
use muster_cwmp::xml::Limits;

use crate::read;

macro_rules! recording {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../tests/recordings/messages/", $name)).as_slice()
    };
}

fn envelope(bytes: &[u8]) -> Envelope {
    read(bytes).expect("the message must be understood")
}

fn inform(bytes: &[u8]) -> Inform {
    match envelope(bytes).body {
        Body::Request(Request::Inform(inform)) => *inform,
        other => panic!("not an Inform: {other:?}"),
    }
}

fn fault(bytes: &[u8]) -> muster_cwmp::fault::Fault {
    match envelope(bytes).body {
        Body::Fault(fault) => fault,
        other => panic!("not a Fault: {other:?}"),
    }
}

/// The same text without its final line break.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a UTF-8 fixture").trim_end()
}

#[test]
fn d01_no_header_and_no_id() {
    let bytes = recording!("routeros-inform.xml");
    let envelope = envelope(bytes);
    assert_eq!(envelope.id, None);
    assert_eq!(envelope.namespace, "urn:dslforum-org:cwmp-1-0");
    let inform = inform(bytes);
    assert_eq!(inform.device_id.product_class, "hAP ac\u{b2}");
    assert_eq!((inform.retry_count, inform.max_envelopes), (3, 1));
    assert_eq!(inform.current_time.0, "2021-09-30T08:15:02+03:00");
    let codes: Vec<_> = inform.events.iter().map(|e| e.code()).collect();
    let expected =
        [EventCode::Periodic, EventCode::Bootstrap, EventCode::Boot, EventCode::ValueChange];
    assert_eq!(codes, expected);
    assert_eq!(inform.parameters.len(), 7);
    assert_eq!(inform.parameters[6].kind, ValueType::Boolean);
    assert_eq!(encode(&envelope, Dialect::RouterOs), text(bytes));
}

#[test]
fn d02_soap_prefix_bound_to_the_encoding_namespace() {
    let bytes = recording!("routeros-values-response.xml");
    let envelope = envelope(bytes);
    assert_eq!(envelope.id.as_deref(), Some("job-17"));
    let expected = vec![
        ParameterValue::string("Device.DeviceInfo.X_MIKROTIK_ArchName", "arm"),
        ParameterValue::new("Device.DeviceInfo.UpTime", "86400", ValueType::UnsignedInt),
    ];
    assert_eq!(envelope.body, Body::Response(Response::GetParameterValues(expected)));
    assert_eq!(encode(&envelope, Dialect::RouterOs), text(bytes));
}

#[test]
fn d03_namespaces_of_later_versions_and_their_headers() {
    let envelope = envelope(recording!("inform-cwmp-1-3.xml"));
    assert_eq!(envelope.namespace, "urn:dslforum-org:cwmp-1-3");
    assert_eq!(envelope.id.as_deref(), Some("4294967296-x/y"));
    assert_eq!(envelope.session_timeout, Some(40));
    assert_eq!(envelope.supported_versions.as_deref(), Some("1.0,1.1,1.2,1.3,1.4"));
}

#[test]
fn d04_undeclared_prefix_on_fault() {
    let bytes = recording!("fault-undeclared-prefix.xml");
    assert_eq!(envelope(bytes).namespace, "urn:dslforum-org:cwmp-1-2");
    assert_eq!(fault(bytes).code, FaultCode::INVALID_PARAMETER_NAME);
}

#[test]
fn d05_xsi_of_1999_and_a_type_on_every_element() {
    let inform = inform(recording!("inform-xsi-1999.xml"));
    assert_eq!(inform.device_id.serial_number, "S2");
    assert_eq!(inform.events[0].event_code, "1 BOOT");
    let expected = ParameterValue::new("Device.DeviceInfo.UpTime", "12", ValueType::UnsignedInt);
    assert_eq!(inform.parameters, [expected]);
}

#[test]
fn d06_wrong_and_negative_array_sizes() {
    let inform = inform(recording!("inform-bad-array-sizes.xml"));
    assert_eq!((inform.events.len(), inform.parameters.len()), (2, 3));
}

#[test]
fn d07_times_that_are_none_are_kept_as_text() {
    let inform = inform(recording!("inform-bad-times.xml"));
    assert_eq!(inform.current_time.0, "2019-03-05T11:54::14");
    let values: Vec<_> = inform.parameters.iter().map(|p| p.value.as_str()).collect();
    let expected = ["0000-00-00T00:00:00", "0001-01-01T00:00:00Z", "2038-01-19T03:14:08Z", ""];
    assert_eq!(values, expected);
}

#[test]
fn d08_oui_is_normalised_before_it_is_identity() {
    assert_eq!(inform(recording!("inform-oui-lower-case.xml")).device_id.oui, "00A859");
    assert_eq!(inform(recording!("inform-oui-colons.xml")).device_id.oui, "4C5E0C");
}

#[test]
fn d09_retry_count_00_and_two_envelopes() {
    let inform = inform(recording!("thomson-inform.xml"));
    assert_eq!((inform.retry_count, inform.max_envelopes), (0, 2));
    assert_eq!(inform.parameters, [ParameterValue::string(".ExternalIPAddress", "192.0.2.2")]);
}

#[test]
fn d10_null_and_empty_values_are_kept_and_nameless_ones_dropped() {
    let inform = inform(recording!("inform-null-values.xml"));
    let values: Vec<_> =
        inform.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    let expected = [
        ("Device.ManagementServer.ConnectionRequestURL", ""),
        ("Device.DeviceInfo.ProvisioningCode", "(null)"),
        ("Device.X", ""),
    ];
    assert_eq!(values, expected);
}

#[test]
fn d11_odd_product_classes_and_serials() {
    let id = inform(recording!("inform-odd-identity.xml")).device_id;
    assert_eq!(id.product_class, "hAP & S\u{f6}hne 50% \u{b2}");
    assert_eq!(id.serial_number, "a/b\"c'd\u{1f600}");
}

#[test]
fn d14_transfer_complete_reordered_with_an_empty_key() {
    let call = match envelope(recording!("transfer-complete-reordered.xml")).body {
        Body::Request(Request::TransferComplete(call)) => call,
        other => panic!("not a TransferComplete: {other:?}"),
    };
    let TransferComplete { command_key, fault, start_time, complete_time } = call;
    let fault = fault.expect("a fault");
    assert_eq!(command_key, "");
    assert_eq!((fault.code, fault.text.as_str()), (FaultCode(9015), "cannot reach file server"));
    assert_eq!((start_time.0.as_str(), complete_time.0.as_str()), ("0000-00-00T00:00:00", ""));
}

#[test]
fn d16_events_in_any_spelling() {
    let inform = inform(recording!("inform-event-spellings.xml"));
    let codes: Vec<_> = inform.events.iter().map(|e| e.code()).collect();
    let expected = [
        EventCode::Boot,
        EventCode::Bootstrap,
        EventCode::MReboot,
        EventCode::TransferComplete,
        EventCode::Other,
        EventCode::Other,
    ];
    assert_eq!(codes, expected);
    assert_eq!(inform.events[3].event_code, "7 TRANSFER COMPLETE");
}

#[test]
fn d17_set_values_fault_without_parameters() {
    let fault = fault(recording!("fault-set-values-top-only.xml"));
    assert_eq!(fault.code, FaultCode::NON_WRITABLE_PARAMETER);
    assert_eq!(fault.text, "Device.DeviceInfo.UpTime, Device.DeviceInfo.ModelName");
    assert!(fault.parameters.is_empty());
}

#[test]
fn d18_what_is_not_well_formed_is_refused() {
    for bytes in [
        recording!("malformed-ampersand.xml"),
        recording!("malformed-truncated.xml"),
        recording!("malformed-html-mangled.xml"),
    ] {
        assert!(matches!(read(bytes), Err(DecodeError::Malformed(_))));
    }
}

#[test]
fn d19_latin1_by_header_and_by_fallback() {
    let bytes = recording!("thomson-inform.xml");
    for content_type in
        [None, Some("text/xml; charset=ISO-8859-1"), Some("text/xml; charset=utf-8")]
    {
        let envelope = decode(bytes, content_type, &Limits::default()).expect("understood");
        let Body::Request(Request::Inform(inform)) = envelope.body else {
            panic!("not an Inform under {content_type:?}");
        };
        assert_eq!(inform.device_id.product_class, "Caf\u{e9} 780", "{content_type:?}");
    }
}

#[test]
fn d22_passwords_arrive_whole_for_the_caller_to_redact() {
    let inform = inform(recording!("inform-passwords.xml"));
    assert_eq!(inform.by_suffix(".ManagementServer.Password"), Some("hunter2"));
}

#[test]
fn d25_thousands_of_names_in_one_answer() {
    let names: Vec<_> = (0..5229)
        .map(|n| ParameterInfo {
            name: format!(
                "InternetGatewayDevice.LANDevice.1.Hosts.Host.{n}.X_VENDOR_LongParameterName"
            ),
            writable: n % 2 == 0,
        })
        .collect();
    let body = Body::Response(Response::GetParameterNames(names));
    let envelope = Envelope::new("urn:dslforum-org:cwmp-1-0", None, body);
    assert_eq!(read(encode(&envelope, Dialect::RouterOs).as_bytes()), Ok(envelope));
}

#[test]
fn d27_several_faults_are_all_kept() {
    let fault = fault(recording!("fault-several.xml"));
    assert_eq!((fault.code, fault.text.as_str()), (FaultCode(9003), "Invalid arguments"));
    let parameters: Vec<_> =
        fault.parameters.iter().map(|p| (p.name.as_str(), p.code.0, p.text.as_str())).collect();
    let expected =
        [("Device.A", 9006, "type"), ("Device.B", 9008, "read only"), ("", 9002, "and more")];
    assert_eq!(parameters, expected);
}

#[test]
fn a_plain_soap_fault_keeps_its_text_and_blame() {
    let fault = fault(recording!("fault-plain-soap.xml"));
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!(fault.text, "Bad request & nothing more");
}

#[test]
fn s6_layout_order_cdata_and_byte_order_mark() {
    let inform = inform(recording!("inform-pretty-printed.xml"));
    let id = &inform.device_id;
    assert_eq!((id.manufacturer.as_str(), id.oui.as_str()), ("Example", "00AA11"));
    assert_eq!((id.product_class.as_str(), id.serial_number.as_str()), ("box", "S4"));
    assert_eq!(inform.retry_count, 1);
    assert_eq!(inform.events[0].event_code, "M Download");
    assert_eq!(inform.events[0].command_key, "k1");
    let expected = [
        ParameterValue::string("Device.DeviceInfo.Description", "a < b"),
        ParameterValue::string("Device.DeviceInfo.ModelName", "two words"),
    ];
    assert_eq!(inform.parameters, expected);
}
