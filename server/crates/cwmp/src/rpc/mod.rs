//! The RPCs of CWMP 1.0 to 1.4 (TR-069 Annex A) as plain data.
//!
//! Owns the vocabulary that both sides share: the ACS and the simulated CPE encode and decode
//! the same types. It never parses or prints; `decode` and `encode` do.

mod from_acs;
mod from_cpe;

pub use from_acs::*;
pub use from_cpe::*;

use crate::fault::Fault;
use crate::value::ParameterValue;

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
