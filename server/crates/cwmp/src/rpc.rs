//! The RPCs of CWMP 1.0 to 1.4 (TR-069 Annex A) as plain data.
//!
//! Owns the vocabulary that both sides share: the ACS and the simulated CPE encode and decode
//! the same types. It never parses or prints; `decode` and `encode` do.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::value::{ParameterValue, Timestamp};

/// One SOAP envelope: the headers CWMP knows and exactly one body (TR-069 3.5, MaxEnvelopes = 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The namespace URI exactly as the peer wrote it; a session answers in the URI of its Inform.
    pub namespace: String,
    /// `cwmp:ID`, echoed verbatim in the answer; absent on MikroTik's Inform.
    pub id: Option<String>,
    /// ACS to CPE: the CPE sends no request of its own while this is true.
    pub hold_requests: Option<bool>,
    /// CPE to ACS on Inform (1.3): seconds the ACS should wait between two POSTs.
    pub session_timeout: Option<u32>,
    /// CPE to ACS on Inform (1.4): versions the CPE speaks, as sent (`1.0,1.1,...`).
    pub supported_versions: Option<String>,
    /// ACS to CPE on InformResponse (1.4).
    pub use_version: Option<String>,
    /// The only child of the SOAP Body.
    pub body: Body,
}

impl Envelope {
    /// An envelope with no header but the optional ID.
    pub fn new(namespace: impl Into<String>, id: Option<String>, body: Body) -> Self {
        Self {
            namespace: namespace.into(),
            id,
            hold_requests: None,
            session_timeout: None,
            supported_versions: None,
            use_version: None,
            body,
        }
    }
}

/// What a SOAP Body holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A method call, of either side.
    Request(Request),
    /// The answer to a method call, of either side.
    Response(Response),
    /// A SOAP Fault with its CWMP detail.
    Fault(Fault),
    /// A well-formed call of a method that CWMP does not name: the ACS answers it with fault 8000.
    UnknownMethod(String),
}

/// Every method call of TR-069 Annex A; first those the ACS sends, then those the CPE sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A.3.1.1, both directions.
    GetRpcMethods,
    /// A.3.2.1
    SetParameterValues(SetParameterValues),
    /// A.3.2.2: parameter names or partial paths ending in a dot.
    GetParameterValues(Vec<String>),
    /// A.3.2.3
    GetParameterNames(GetParameterNames),
    /// A.3.2.4
    SetParameterAttributes(Vec<SetParameterAttributes>),
    /// A.3.2.5: parameter names or partial paths.
    GetParameterAttributes(Vec<String>),
    /// A.3.2.6
    AddObject(ObjectCall),
    /// A.3.2.7
    DeleteObject(ObjectCall),
    /// A.3.2.8
    Download(Download),
    /// A.3.2.9; carries the CommandKey.
    Reboot(String),
    /// A.4.1.1 (1.0): `GetQueuedTransfers`, superseded by `GetAllQueuedTransfers`.
    GetQueuedTransfers,
    /// A.4.1.2
    ScheduleInform(ScheduleInform),
    /// A.4.1.3, deprecated: base64 vouchers.
    SetVouchers(Vec<String>),
    /// A.4.1.4, deprecated: option name.
    GetOptions(String),
    /// A.4.1.5
    Upload(Upload),
    /// A.4.1.6
    FactoryReset,
    /// A.4.1.7 (1.1)
    GetAllQueuedTransfers,
    /// A.4.1.8 (1.2)
    ScheduleDownload(ScheduleDownload),
    /// A.4.1.9 (1.2); carries the CommandKey.
    CancelTransfer(String),
    /// A.4.1.10 (1.2)
    ChangeDuState(ChangeDuState),

    /// A.3.3.1
    Inform(Box<Inform>),
    /// A.3.3.2
    TransferComplete(TransferComplete),
    /// A.3.3.3 (1.1)
    AutonomousTransferComplete(AutonomousTransferComplete),
    /// A.4.2.1
    Kicked(Kicked),
    /// A.4.2.2
    RequestDownload(RequestDownload),
    /// A.4.2.3 (1.2)
    DuStateChangeComplete(DuStateChangeComplete),
    /// A.4.2.4 (1.2)
    AutonomousDuStateChangeComplete(Vec<OpResult>),
}

/// Every answer of TR-069 Annex A.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Method names the peer supports.
    GetRpcMethods(Vec<String>),
    /// Applied now, or committed and applied later.
    SetParameterValues(Status),
    /// Names, values and types.
    GetParameterValues(Vec<ParameterValue>),
    /// Names and whether each is writable.
    GetParameterNames(Vec<ParameterInfo>),
    /// No content.
    SetParameterAttributes,
    /// Notification and access list of each parameter.
    GetParameterAttributes(Vec<ParameterAttribute>),
    /// The instance that was made.
    AddObject {
        /// Instance number, at least 1; never assume contiguous.
        instance_number: u32,
        /// Applied now or later.
        status: Status,
    },
    /// Applied now or later.
    DeleteObject(Status),
    /// Done now (with times) or pending.
    Download(TransferResponse),
    /// No content.
    Reboot,
    /// Open transfers that have a CommandKey.
    GetQueuedTransfers(Vec<QueuedTransfer>),
    /// No content.
    ScheduleInform,
    /// No content.
    SetVouchers,
    /// Options (deprecated RPC).
    GetOptions(Vec<OptionEntry>),
    /// Done now (with times) or pending.
    Upload(TransferResponse),
    /// No content.
    FactoryReset,
    /// All open transfers.
    GetAllQueuedTransfers(Vec<AllQueuedTransfer>),
    /// No content.
    ScheduleDownload,
    /// No content.
    CancelTransfer,
    /// No content; results come by `DUStateChangeComplete`.
    ChangeDuState,

    /// MaxEnvelopes: Muster says 1 always.
    Inform {
        /// Envelopes the ACS accepts in one HTTP message.
        max_envelopes: u32,
    },
    /// No content.
    TransferComplete,
    /// No content.
    AutonomousTransferComplete,
    /// The page to which the subscriber's browser goes next.
    Kicked {
        /// Absolute or relative URL, at most 1024 characters.
        next_url: String,
    },
    /// No content.
    RequestDownload,
    /// No content.
    DuStateChangeComplete,
    /// No content.
    AutonomousDuStateChangeComplete,
}

/// Status of SetParameterValues, AddObject, DeleteObject, Download and Upload (A.3.2): 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 0: validated and applied (a transfer: finished).
    Applied,
    /// 1: validated, applied later (a transfer: will be reported by TransferComplete).
    Pending,
}

/// Arguments of SetParameterValues (A.3.2.1). Atomic: all or none are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetParameterValues {
    /// No name may occur twice (fault 9003).
    pub parameters: Vec<ParameterValue>,
    /// At most 32 characters; becomes `ManagementServer.ParameterKey`.
    pub parameter_key: String,
}

/// Arguments of GetParameterNames (A.3.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetParameterNames {
    /// A partial path ending in a dot, or a full name.
    pub path: String,
    /// Only the next level below `path`; never together with a full parameter name.
    pub next_level: bool,
}

/// One entry of GetParameterNamesResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Full name, or a partial path ending in a dot for an object.
    pub name: String,
    /// For an object: AddObject or DeleteObject is possible.
    pub writable: bool,
}

/// One entry of SetParameterAttributes (A.3.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetParameterAttributes {
    /// Parameter name or partial path.
    pub name: String,
    /// 0 off, 1 passive, 2 active, 3 to 6 lightweight (1.4); `None` leaves it as it is.
    pub notification: Option<u8>,
    /// `Subscriber` or nothing; `None` leaves it as it is.
    pub access_list: Option<Vec<String>>,
}

/// One entry of GetParameterAttributesResponse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterAttribute {
    /// Full parameter name.
    pub name: String,
    /// 0 off, 1 passive, 2 active, 3 to 6 lightweight.
    pub notification: u8,
    /// Who besides the ACS may write.
    pub access_list: Vec<String>,
}

/// Arguments of AddObject and DeleteObject (A.3.2.6, A.3.2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCall {
    /// Partial path; the schema wants the final dot.
    pub object_name: String,
    /// At most 32 characters.
    pub parameter_key: String,
}

/// Arguments of Download (A.3.2.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// At most 32 characters: the job id as 32 hex digits.
    pub command_key: String,
    /// `1 Firmware Upgrade Image` ...
    pub file_type: String,
    /// At most 256 characters.
    pub url: String,
    /// Empty when the URL needs none.
    pub username: String,
    /// Empty when the URL needs none.
    pub password: String,
    /// Bytes; 0 = unknown.
    pub file_size: u32,
    /// Empty = the CPE chooses.
    pub target_file_name: String,
    /// Seconds from now.
    pub delay_seconds: u32,
    /// Unused by current CPEs; empty.
    pub success_url: String,
    /// Unused by current CPEs; empty.
    pub failure_url: String,
}

/// Arguments of Upload (A.4.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// At most 32 characters.
    pub command_key: String,
    /// `1 Vendor Configuration File` ...
    pub file_type: String,
    /// At most 256 characters.
    pub url: String,
    /// Empty when the URL needs none.
    pub username: String,
    /// Empty when the URL needs none.
    pub password: String,
    /// Seconds from now.
    pub delay_seconds: u32,
}

/// Answer to Download and Upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferResponse {
    /// Applied = done within this session, no TransferComplete follows.
    pub status: Status,
    /// Unknown Time unless done.
    pub start_time: Timestamp,
    /// Unknown Time unless done.
    pub complete_time: Timestamp,
}

/// Arguments of ScheduleInform (A.4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleInform {
    /// Seconds from now, more than 0.
    pub delay_seconds: u32,
    /// At most 32 characters.
    pub command_key: String,
}

/// State of a queued transfer: 1 not yet started, 2 in progress, 3 completed.
pub type TransferState = u8;

/// One entry of GetQueuedTransfersResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedTransfer {
    /// As given with Download or Upload.
    pub command_key: String,
    /// 1, 2 or 3.
    pub state: TransferState,
}

/// One entry of GetAllQueuedTransfersResponse (1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllQueuedTransfer {
    /// Empty for a transfer that the ACS did not order.
    pub command_key: String,
    /// 1, 2 or 3.
    pub state: TransferState,
    /// Download or upload.
    pub is_download: bool,
    /// File type text.
    pub file_type: String,
    /// Bytes; 0 = unknown.
    pub file_size: u32,
    /// May be empty.
    pub target_file_name: String,
}

/// One entry of GetOptionsResponse (deprecated RPC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionEntry {
    /// Option name.
    pub option_name: String,
    /// Voucher serial number.
    pub voucher_sn: u32,
    /// 0 to 3.
    pub state: u8,
    /// 0 to 2.
    pub mode: u8,
    /// Start of validity.
    pub start_date: Timestamp,
    /// End of validity.
    pub expiration_date: Option<Timestamp>,
    /// Whether the option may move to another device.
    pub is_transferable: bool,
}

/// Arguments of ScheduleDownload (A.4.1.8, 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleDownload {
    /// At most 32 characters.
    pub command_key: String,
    /// As in Download.
    pub file_type: String,
    /// At most 256 characters.
    pub url: String,
    /// Empty when the URL needs none.
    pub username: String,
    /// Empty when the URL needs none.
    pub password: String,
    /// Bytes; 0 = unknown.
    pub file_size: u32,
    /// May be empty.
    pub target_file_name: String,
    /// One or two windows.
    pub time_windows: Vec<TimeWindow>,
}

/// A window of ScheduleDownload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// Seconds from now.
    pub start: u32,
    /// Seconds from now.
    pub end: u32,
    /// `1 At Any Time`, `2 Immediately`, `3 When Idle`, `4 Confirmation Needed`, `X ...`.
    pub mode: String,
    /// Shown to the user when confirmation is needed.
    pub user_message: String,
    /// -1 = the CPE decides.
    pub max_retries: i32,
}

/// Arguments of ChangeDUState (A.4.1.10, 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeDuState {
    /// At least one.
    pub operations: Vec<DuOperation>,
    /// At most 32 characters.
    pub command_key: String,
}

/// One operation on a deployment unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum DuOperation {
    /// `InstallOpStruct`
    Install {
        /// At most 1024 characters.
        url: String,
        /// 8-4-4-4-12 hex digits, or none.
        uuid: Option<String>,
        /// For the URL.
        username: Option<String>,
        /// For the URL.
        password: Option<String>,
        /// Execution environment.
        execution_env_ref: Option<String>,
    },
    /// `UpdateOpStruct`
    Update {
        /// Which unit; all when none is named.
        uuid: Option<String>,
        /// Which version.
        version: Option<String>,
        /// New location.
        url: Option<String>,
        /// For the URL.
        username: Option<String>,
        /// For the URL.
        password: Option<String>,
    },
    /// `UninstallOpStruct`
    Uninstall {
        /// Which unit.
        uuid: String,
        /// Which version.
        version: Option<String>,
        /// Execution environment.
        execution_env_ref: Option<String>,
    },
}

/// Who the CPE is (A.3.3.1, DeviceIdStruct), as sent but for the OUI, which is normalised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceId {
    /// Free text.
    pub manufacturer: String,
    /// Six upper-case hex digits once [`DeviceId::normalise`] has run; as sent when it is not hex.
    pub oui: String,
    /// An attribute, not identity: holds spaces and non-ASCII, and may change with the firmware.
    pub product_class: String,
    /// Any characters; never validated by shape.
    pub serial_number: String,
}

impl DeviceId {
    /// Upper-cases the OUI and removes the separators some vendors put in it (`4c:5e:0c`).
    pub fn normalise(&mut self) {
        let hex: String =
            self.oui.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')).collect();
        self.oui = hex.to_ascii_uppercase();
    }
}

/// Arguments of Inform (A.3.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inform {
    /// Identity, normalised.
    pub device_id: DeviceId,
    /// In the CPE's order, which is not numeric on RouterOS.
    pub events: Vec<EventStruct>,
    /// As sent; ignored.
    pub max_envelopes: u32,
    /// The CPE's clock, as sent.
    pub current_time: Timestamp,
    /// Attempts since the last session that succeeded.
    pub retry_count: u32,
    /// Forced and notified parameters.
    pub parameters: Vec<ParameterValue>,
}

impl Inform {
    /// The first of several candidate parameters that is present, by exact name.
    pub fn parameter(&self, name: &str) -> Option<&ParameterValue> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// The value of the parameter whose name ends in `suffix` (`.DeviceInfo.SoftwareVersion`), so
    /// that both root objects are served by one look-up.
    pub fn by_suffix(&self, suffix: &str) -> Option<&str> {
        self.parameters.iter().find(|p| p.name.ends_with(suffix)).map(|p| p.value.as_str())
    }

    /// Whether an event of this kind is present.
    pub fn has(&self, code: EventCode) -> bool {
        self.events.iter().any(|e| e.code() == code)
    }
}

/// One event of an Inform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStruct {
    /// As sent: `1 BOOT`, `M Download`, `X 00AA11 thing`.
    pub event_code: String,
    /// Empty unless the event answers a method that has one.
    pub command_key: String,
}

impl EventStruct {
    /// The event's kind by its leading number, or by its name after `M`, in any letter case (N12).
    pub fn code(&self) -> EventCode {
        EventCode::parse(&self.event_code)
    }
}

/// The events that CWMP names (TR-069 table 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventCode {
    /// 0
    Bootstrap,
    /// 1
    Boot,
    /// 2
    Periodic,
    /// 3
    Scheduled,
    /// 4
    ValueChange,
    /// 5
    Kicked,
    /// 6
    ConnectionRequest,
    /// 7
    TransferComplete,
    /// 8
    DiagnosticsComplete,
    /// 9
    RequestDownload,
    /// 10
    AutonomousTransferComplete,
    /// 11
    DuStateChangeComplete,
    /// 12
    AutonomousDuStateChangeComplete,
    /// 13
    Wakeup,
    /// 14
    Heartbeat,
    /// `M Reboot`
    MReboot,
    /// `M ScheduleInform`
    MScheduleInform,
    /// `M Download`
    MDownload,
    /// `M ScheduleDownload`
    MScheduleDownload,
    /// `M Upload`
    MUpload,
    /// `M ChangeDUState`
    MChangeDuState,
    /// A vendor's event, or one from a later edition of the standard.
    Other,
}

impl EventCode {
    /// Reads an EventCode text leniently; never fails.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let (head, rest) = text.split_once(' ').unwrap_or((text, ""));
        if head.eq_ignore_ascii_case("m") {
            return match rest.trim().to_ascii_lowercase().as_str() {
                "reboot" => Self::MReboot,
                "scheduleinform" => Self::MScheduleInform,
                "download" => Self::MDownload,
                "scheduledownload" => Self::MScheduleDownload,
                "upload" => Self::MUpload,
                "changedustate" => Self::MChangeDuState,
                _ => Self::Other,
            };
        }
        match head.parse::<u32>() {
            Ok(0) => Self::Bootstrap,
            Ok(1) => Self::Boot,
            Ok(2) => Self::Periodic,
            Ok(3) => Self::Scheduled,
            Ok(4) => Self::ValueChange,
            Ok(5) => Self::Kicked,
            Ok(6) => Self::ConnectionRequest,
            Ok(7) => Self::TransferComplete,
            Ok(8) => Self::DiagnosticsComplete,
            Ok(9) => Self::RequestDownload,
            Ok(10) => Self::AutonomousTransferComplete,
            Ok(11) => Self::DuStateChangeComplete,
            Ok(12) => Self::AutonomousDuStateChangeComplete,
            Ok(13) => Self::Wakeup,
            Ok(14) => Self::Heartbeat,
            _ => Self::Other,
        }
    }
}

/// Arguments of TransferComplete (A.3.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferComplete {
    /// The order's key; empty or foreign on some CPEs (A1).
    pub command_key: String,
    /// `None` = FaultCode 0: the file arrived, which is not yet proof of an upgrade.
    pub fault: Option<Fault>,
    /// As sent.
    pub start_time: Timestamp,
    /// As sent.
    pub complete_time: Timestamp,
}

/// Arguments of AutonomousTransferComplete (A.3.3.3, 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutonomousTransferComplete {
    /// Where the CPE learned of the file.
    pub announce_url: String,
    /// Where the file was.
    pub transfer_url: String,
    /// Download or upload.
    pub is_download: bool,
    /// File type text.
    pub file_type: String,
    /// Bytes.
    pub file_size: u32,
    /// May be empty.
    pub target_file_name: String,
    /// `None` = FaultCode 0.
    pub fault: Option<Fault>,
    /// As sent.
    pub start_time: Timestamp,
    /// As sent.
    pub complete_time: Timestamp,
}

/// Arguments of Kicked (A.4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kicked {
    /// At most 32 characters.
    pub command: String,
    /// At most 64 characters.
    pub referer: String,
    /// At most 256 characters.
    pub arg: String,
    /// At most 1024 characters.
    pub next: String,
}

/// Arguments of RequestDownload (A.4.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDownload {
    /// File type text.
    pub file_type: String,
    /// Name and value pairs, at most 16.
    pub args: Vec<(String, String)>,
}

/// Arguments of DUStateChangeComplete (A.4.2.3, 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuStateChangeComplete {
    /// One per operation.
    pub results: Vec<OpResult>,
    /// Key of the ChangeDUState.
    pub command_key: String,
}

/// Result of one deployment-unit operation; `operation_performed` only in the autonomous form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpResult {
    /// Unit's UUID.
    pub uuid: String,
    /// Instance in the data model.
    pub deployment_unit_ref: String,
    /// Version text.
    pub version: String,
    /// `Installed`, `Uninstalled`, `Failed`.
    pub current_state: String,
    /// All dependencies met.
    pub resolved: bool,
    /// Comma-separated instances.
    pub execution_unit_ref_list: String,
    /// As sent.
    pub start_time: Timestamp,
    /// As sent.
    pub complete_time: Timestamp,
    /// `None` = code 0.
    pub fault: Option<Fault>,
    /// `Install`, `Update`, `Uninstall`; empty in the ordered form.
    pub operation_performed: String,
}
