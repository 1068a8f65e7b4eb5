//! Arguments and results of the methods that the ACS calls (TR-069 A.3.2, A.4.1).

use serde::{Deserialize, Serialize};

use crate::value::{ParameterValue, Timestamp};

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
