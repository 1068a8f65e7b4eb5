//! Arguments of the methods that the CPE calls (TR-069 A.3.3, A.4.2), and the events of an Inform.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::value::{ParameterValue, Timestamp};

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
