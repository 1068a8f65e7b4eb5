//! Arbitrary envelopes, answers and faults, with text that tries the escaping.
//!
//! White space that the decoder is meant to forgive (around names and identities, line breaks around
//! a value) is not generated: those have tests of their own.

use muster_cwmp::fault::{Fault, FaultCode, ParameterFault};
use muster_cwmp::rpc::{
    AllQueuedTransfer, Body, Envelope, OptionEntry, ParameterAttribute, ParameterInfo,
    QueuedTransfer, Response, Status, TransferResponse,
};
use muster_cwmp::value::{ParameterValue, Timestamp, ValueType};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::requests::{acs_request, cpe_request, download};

/// One envelope of any kind.
pub fn envelope() -> impl Strategy<Value = Envelope> {
    (
        "urn:dslforum-org:cwmp-1-[0-4]",
        option::of(text()),
        option::of(any::<bool>()),
        option::of(any::<u32>()),
        option::of("[0-9.,]{1,12}"),
        option::of("[0-9.]{1,3}"),
        body(),
    )
        .prop_map(|(namespace, id, hold, timeout, supported, used, body)| Envelope {
            namespace,
            id,
            hold_requests: hold,
            session_timeout: timeout,
            supported_versions: supported,
            use_version: used,
            body,
        })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        6 => acs_request().prop_map(Body::Request),
        3 => cpe_request().prop_map(Body::Request),
        6 => response().prop_map(Body::Response),
        2 => soap_fault().prop_map(Body::Fault),
        1 => "X_[A-Z]{3,8}(Response)?".prop_map(Body::UnknownMethod),
    ]
}

/// Any characters XML can carry, line breaks inside included.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,24}", "[a-z<>&\"' \t\r\n\\]]{0,16}".prop_map(|s| format!("x{s}x"))]
}

pub fn token() -> impl Strategy<Value = String> {
    "\\PC{0,24}".prop_map(|s| s.trim_matches(' ').to_owned())
}

pub fn path() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_.{}-]{1,24}"
}

pub fn key() -> impl Strategy<Value = String> {
    "\\PC{0,32}"
}

pub fn url() -> impl Strategy<Value = String> {
    "https?://[a-z0-9.:]{1,12}/[a-z0-9?&=%;]{0,12}"
}

pub fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::unknown()),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(Z|[+-][0-9]{2}:[0-9]{2})?".prop_map(Timestamp),
        Just(Timestamp::default()),
    ]
}

pub fn list<S: Strategy>(item: S) -> impl Strategy<Value = Vec<S::Value>> {
    vec(item, 0..5)
}

pub fn value() -> impl Strategy<Value = ParameterValue> {
    let kinds = vec![
        ValueType::String,
        ValueType::Int,
        ValueType::UnsignedInt,
        ValueType::Long,
        ValueType::UnsignedLong,
        ValueType::Boolean,
        ValueType::DateTime,
        ValueType::Base64,
        ValueType::HexBinary,
    ];
    (path(), text(), prop::sample::select(kinds)).prop_map(|(name, value, kind)| ParameterValue {
        name,
        value,
        kind,
    })
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Applied), Just(Status::Pending)]
}

fn code() -> impl Strategy<Value = FaultCode> {
    prop_oneof![8000..8900_u32, 9000..9900_u32, 1..=u32::MAX].prop_map(FaultCode)
}

/// A fault as it stands inside a method call.
pub fn inner_fault() -> impl Strategy<Value = Option<Fault>> {
    option::of((code(), text()).prop_map(|(code, text)| Fault::new(code, text)))
}

fn soap_fault() -> impl Strategy<Value = Fault> {
    let parameter =
        (path(), code(), text()).prop_map(|(name, code, text)| ParameterFault { name, code, text });
    (code(), text(), list(parameter)).prop_map(|(code, text, parameters)| Fault {
        code,
        text,
        parameters,
    })
}

fn response() -> impl Strategy<Value = Response> {
    let empty = prop::sample::select(vec![
        Response::SetParameterAttributes,
        Response::Reboot,
        Response::ScheduleInform,
        Response::SetVouchers,
        Response::FactoryReset,
        Response::ScheduleDownload,
        Response::CancelTransfer,
        Response::ChangeDuState,
        Response::TransferComplete,
        Response::AutonomousTransferComplete,
        Response::RequestDownload,
        Response::DuStateChangeComplete,
        Response::AutonomousDuStateChangeComplete,
    ]);
    let info =
        (path(), any::<bool>()).prop_map(|(name, writable)| ParameterInfo { name, writable });
    let attribute =
        (path(), any::<u8>(), list(text())).prop_map(|(name, notification, access_list)| {
            ParameterAttribute { name, notification, access_list }
        });
    let queued =
        (key(), any::<u8>()).prop_map(|(command_key, state)| QueuedTransfer { command_key, state });
    Union::new([
        empty.boxed(),
        list(text()).prop_map(Response::GetRpcMethods).boxed(),
        status().prop_map(Response::SetParameterValues).boxed(),
        list(value()).prop_map(Response::GetParameterValues).boxed(),
        list(info).prop_map(Response::GetParameterNames).boxed(),
        list(attribute).prop_map(Response::GetParameterAttributes).boxed(),
        (1..=u32::MAX, status())
            .prop_map(|(instance_number, status)| Response::AddObject { instance_number, status })
            .boxed(),
        status().prop_map(Response::DeleteObject).boxed(),
        transfer_response().prop_map(Response::Download).boxed(),
        transfer_response().prop_map(Response::Upload).boxed(),
        list(queued).prop_map(Response::GetQueuedTransfers).boxed(),
        list(all_queued()).prop_map(Response::GetAllQueuedTransfers).boxed(),
        list(option_entry()).prop_map(Response::GetOptions).boxed(),
        any::<u32>().prop_map(|max_envelopes| Response::Inform { max_envelopes }).boxed(),
        text().prop_map(|next_url| Response::Kicked { next_url }).boxed(),
    ])
}

fn transfer_response() -> impl Strategy<Value = TransferResponse> {
    (status(), time(), time()).prop_map(|(status, start_time, complete_time)| TransferResponse {
        status,
        start_time,
        complete_time,
    })
}

fn all_queued() -> impl Strategy<Value = AllQueuedTransfer> {
    (download(), any::<u8>(), any::<bool>()).prop_map(|(d, state, is_download)| AllQueuedTransfer {
        command_key: d.command_key,
        state,
        is_download,
        file_type: d.file_type,
        file_size: d.file_size,
        target_file_name: d.target_file_name,
    })
}

fn option_entry() -> impl Strategy<Value = OptionEntry> {
    let expiry = option::of("[0-9]{4}-01-01T00:00:00Z".prop_map(Timestamp));
    (text(), any::<u32>(), any::<u8>(), any::<u8>(), time(), expiry, any::<bool>()).prop_map(
        |(option_name, voucher_sn, state, mode, start_date, expiration_date, is_transferable)| {
            OptionEntry {
                option_name,
                voucher_sn,
                state,
                mode,
                start_date,
                expiration_date,
                is_transferable,
            }
        },
    )
}
