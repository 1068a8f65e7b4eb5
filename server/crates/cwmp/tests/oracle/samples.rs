//! One message of each kind that the ACS can send, in the namespaces that have it.

use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{
    Body, ChangeDuState, Download, DuOperation, Envelope, GetParameterNames, ObjectCall, Request,
    Response, ScheduleDownload, ScheduleInform, SetParameterAttributes, SetParameterValues,
    TimeWindow, Upload,
};
use muster_cwmp::value::{ParameterValue, ValueType};

/// The sample that fails the schemas before 1.2 (C9).
pub const MIKROTIK_DOWNLOAD: &str = "Download-MikroTik-factory";

/// A message with the headers that an ACS sends.
pub fn envelope(minor: u8, body: Body) -> Envelope {
    let id = Some("0123456789abcdef<&>\u{e9}".into());
    let mut envelope = Envelope::new(format!("urn:dslforum-org:cwmp-1-{minor}"), id, body);
    envelope.hold_requests = Some(false);
    if minor >= 2 {
        envelope.use_version = Some("1.4".into());
    }
    envelope
}

/// Name and message of each sample that version 1.`minor` has.
pub fn acs_messages(minor: u8) -> Vec<(String, Envelope)> {
    let mut bodies: Vec<(u8, &str, Body)> = Vec::new();
    bodies.extend(requests().into_iter().map(|(since, name, r)| (since, name, Body::Request(r))));
    bodies.extend(responses().into_iter().map(|(since, name, r)| (since, name, Body::Response(r))));
    bodies.extend(faults().into_iter().map(|(name, fault)| (0, name, Body::Fault(fault))));
    let mut messages: Vec<_> = bodies
        .into_iter()
        .filter(|(since, ..)| *since <= minor)
        .map(|(_, name, body)| (name.to_owned(), envelope(minor, body)))
        .collect();
    let bare = Body::Response(Response::Inform { max_envelopes: 1 });
    let namespace = format!("urn:dslforum-org:cwmp-1-{minor}");
    messages.push(("InformResponse-without-id".into(), Envelope::new(namespace, None, bare)));
    messages
}

const KEY: &str = "0123456789abcdef0123456789abcdef";
const UUID: &str = "0123abcd-0000-0000-0000-0123456789AB";

fn requests() -> Vec<(u8, &'static str, Request)> {
    let names = || vec!["Device.DeviceInfo.".to_owned(), "Device.X&Y".to_owned()];
    let object =
        || ObjectCall { object_name: "Device.Hosts.Host.".into(), parameter_key: KEY.into() };
    vec![
        (0, "GetRPCMethods", Request::GetRpcMethods),
        (0, "SetParameterValues", Request::SetParameterValues(set_parameter_values())),
        (0, "GetParameterValues", Request::GetParameterValues(names())),
        (
            0,
            "GetParameterNames",
            Request::GetParameterNames(GetParameterNames {
                path: "Device.".into(),
                next_level: true,
            }),
        ),
        (0, "SetParameterAttributes", Request::SetParameterAttributes(attributes())),
        (0, "GetParameterAttributes", Request::GetParameterAttributes(names())),
        (0, "AddObject", Request::AddObject(object())),
        (0, "DeleteObject", Request::DeleteObject(object())),
        (0, "Download", Request::Download(download("1 Firmware Upgrade Image"))),
        (
            0,
            MIKROTIK_DOWNLOAD,
            Request::Download(download("X MIKROTIK Factory Configuration File")),
        ),
        (0, "Upload", Request::Upload(upload("1 Vendor Configuration File"))),
        (2, "Upload-instance", Request::Upload(upload("3 Vendor Configuration File 1"))),
        (0, "Reboot", Request::Reboot(KEY.into())),
        (0, "FactoryReset", Request::FactoryReset),
        (0, "ScheduleInform", Request::ScheduleInform(schedule_inform())),
        (0, "GetQueuedTransfers", Request::GetQueuedTransfers),
        (0, "SetVouchers", Request::SetVouchers(vec!["YWJj".into()])),
        (0, "GetOptions", Request::GetOptions("VoIP".into())),
        (1, "GetAllQueuedTransfers", Request::GetAllQueuedTransfers),
        (2, "ScheduleDownload", Request::ScheduleDownload(schedule_download())),
        (2, "CancelTransfer", Request::CancelTransfer(KEY.into())),
        (2, "ChangeDUState", Request::ChangeDuState(change_du_state())),
    ]
}

fn set_parameter_values() -> SetParameterValues {
    let parameters = [
        ("Device.A", "a < b & \"c\" 'd' \u{f6}\r\n\t", ValueType::String),
        ("Device.B", "", ValueType::String),
        ("Device.C", "-1", ValueType::Int),
        ("Device.D", "4294967295", ValueType::UnsignedInt),
        ("Device.E", "-9", ValueType::Long),
        ("Device.F", "18446744073709551615", ValueType::UnsignedLong),
        ("Device.G", "true", ValueType::Boolean),
        ("Device.H", "2038-01-19T03:14:08Z", ValueType::DateTime),
        ("Device.I", "YWJj", ValueType::Base64),
        ("Device.J", "00ff", ValueType::HexBinary),
    ]
    .map(|(name, value, kind)| ParameterValue::new(name, value, kind));
    SetParameterValues { parameters: parameters.into(), parameter_key: KEY.into() }
}

fn attributes() -> Vec<SetParameterAttributes> {
    vec![
        SetParameterAttributes {
            name: "Device.A".into(),
            notification: Some(2),
            access_list: Some(vec!["Subscriber".into()]),
        },
        SetParameterAttributes {
            name: "Device.B.".into(),
            notification: None,
            access_list: Some(vec![]),
        },
        SetParameterAttributes {
            name: "Device.C".into(),
            notification: Some(0),
            access_list: None,
        },
    ]
}

fn download(file_type: &str) -> Download {
    Download {
        command_key: KEY.into(),
        file_type: file_type.into(),
        url: "https://acs.example:8443/files/token/upgrade.xml?a=1&b=2".into(),
        username: String::new(),
        password: String::new(),
        file_size: u32::MAX,
        target_file_name: "upgrade.xml".into(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    }
}

fn upload(file_type: &str) -> Upload {
    Upload {
        command_key: KEY.into(),
        file_type: file_type.into(),
        url: "https://acs.example:8443/uploads/token".into(),
        username: "u".into(),
        password: "p".into(),
        delay_seconds: 5,
    }
}

fn schedule_inform() -> ScheduleInform {
    ScheduleInform { delay_seconds: 60, command_key: KEY.into() }
}

fn schedule_download() -> ScheduleDownload {
    let window = |start, mode: &str| TimeWindow {
        start,
        end: start + 3600,
        mode: mode.into(),
        user_message: String::new(),
        max_retries: -1,
    };
    let download = download("X MIKROTIK Factory Configuration File");
    ScheduleDownload {
        command_key: download.command_key,
        file_type: download.file_type,
        url: download.url,
        username: download.username,
        password: download.password,
        file_size: download.file_size,
        target_file_name: download.target_file_name,
        time_windows: vec![window(0, "1 At Any Time"), window(86_400, "3 When Idle")],
    }
}

fn change_du_state() -> ChangeDuState {
    let operations = vec![
        DuOperation::Install {
            url: "https://acs.example/unit".into(),
            uuid: Some(UUID.into()),
            username: Some("u".into()),
            password: Some("p".into()),
            execution_env_ref: Some("Device.SoftwareModules.ExecEnv.1.".into()),
        },
        DuOperation::Update {
            uuid: None,
            version: Some("2".into()),
            url: Some("https://acs.example/unit".into()),
            username: None,
            password: None,
        },
        DuOperation::Uninstall { uuid: UUID.into(), version: None, execution_env_ref: None },
    ];
    ChangeDuState { operations, command_key: KEY.into() }
}

fn responses() -> Vec<(u8, &'static str, Response)> {
    let methods = vec!["Inform".to_owned(), "TransferComplete".to_owned()];
    vec![
        (0, "GetRPCMethodsResponse", Response::GetRpcMethods(methods)),
        (0, "InformResponse", Response::Inform { max_envelopes: 1 }),
        (0, "TransferCompleteResponse", Response::TransferComplete),
        (0, "KickedResponse", Response::Kicked { next_url: "https://acs.example/?a&b".into() }),
        (0, "RequestDownloadResponse", Response::RequestDownload),
        (1, "AutonomousTransferCompleteResponse", Response::AutonomousTransferComplete),
        (2, "DUStateChangeCompleteResponse", Response::DuStateChangeComplete),
        (2, "AutonomousDUStateChangeCompleteResponse", Response::AutonomousDuStateChangeComplete),
    ]
}

fn faults() -> Vec<(&'static str, Fault)> {
    let fault = |code: FaultCode| Fault::new(code, code.meaning().unwrap_or_default());
    vec![
        ("Fault-8000", fault(FaultCode::ACS_METHOD_NOT_SUPPORTED)),
        ("Fault-8001", fault(FaultCode::ACS_REQUEST_DENIED)),
        ("Fault-8002", fault(FaultCode::ACS_INTERNAL_ERROR)),
        ("Fault-8003", fault(FaultCode::ACS_INVALID_ARGUMENTS)),
        ("Fault-8004", fault(FaultCode::ACS_RESOURCES_EXCEEDED)),
        ("Fault-8005", fault(FaultCode::ACS_RETRY_REQUEST)),
    ]
}
