//! CWMP faults (TR-069 A.5): codes, the SetParameterValues detail, and who is to blame.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fault as it travels: the number and the text are kept exactly as received, because devices
/// use codes that their schema version does not name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// CWMP fault code: 9000 to 9899 from a CPE, 8000 to 8899 from an ACS.
    pub code: FaultCode,
    /// FaultString as received.
    pub text: String,
    /// One entry per bad parameter of a SetParameterValues (A.3.2.1); empty on devices that give
    /// only the top fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterFault>,
}

impl Fault {
    /// A fault with no per-parameter detail.
    pub fn new(code: FaultCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), parameters: Vec::new() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.0, self.text)?;
        for p in &self.parameters {
            write!(f, "; {}: {} {}", p.name, p.code.0, p.text)?;
        }
        Ok(())
    }
}

/// One SetParameterValuesFault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterFault {
    /// The parameter that was refused.
    pub name: String,
    /// 9005, 9006, 9007, 9008 or 9001.
    pub code: FaultCode,
    /// As received.
    pub text: String,
}

/// A fault number. Any number is accepted on input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultCode(pub u32);

impl FaultCode {
    /// ACS: method not supported.
    pub const ACS_METHOD_NOT_SUPPORTED: Self = Self(8000);
    /// ACS: request denied.
    pub const ACS_REQUEST_DENIED: Self = Self(8001);
    /// ACS: internal error.
    pub const ACS_INTERNAL_ERROR: Self = Self(8002);
    /// ACS: invalid arguments.
    pub const ACS_INVALID_ARGUMENTS: Self = Self(8003);
    /// ACS: resources exceeded.
    pub const ACS_RESOURCES_EXCEEDED: Self = Self(8004);
    /// ACS: the CPE must send the same request again.
    pub const ACS_RETRY_REQUEST: Self = Self(8005);
    /// CPE: method not supported.
    pub const METHOD_NOT_SUPPORTED: Self = Self(9000);
    /// CPE: request denied, no reason given.
    pub const REQUEST_DENIED: Self = Self(9001);
    /// CPE: internal error.
    pub const INTERNAL_ERROR: Self = Self(9002);
    /// CPE: invalid arguments.
    pub const INVALID_ARGUMENTS: Self = Self(9003);
    /// CPE: resources exceeded.
    pub const RESOURCES_EXCEEDED: Self = Self(9004);
    /// CPE: invalid parameter name.
    pub const INVALID_PARAMETER_NAME: Self = Self(9005);
    /// CPE: invalid parameter type.
    pub const INVALID_PARAMETER_TYPE: Self = Self(9006);
    /// CPE: invalid parameter value.
    pub const INVALID_PARAMETER_VALUE: Self = Self(9007);
    /// CPE: parameter is not writable.
    pub const NON_WRITABLE_PARAMETER: Self = Self(9008);
    /// CPE: notification request rejected.
    pub const NOTIFICATION_REJECTED: Self = Self(9009);
    /// CPE: file transfer failure.
    pub const TRANSFER_FAILURE: Self = Self(9010);
    /// CPE: upload failure.
    pub const UPLOAD_FAILURE: Self = Self(9011);
    /// CPE: file transfer server authentication failure.
    pub const TRANSFER_AUTHENTICATION: Self = Self(9012);
    /// CPE: unsupported protocol for file transfer.
    pub const TRANSFER_PROTOCOL: Self = Self(9013);
    /// CPE: unable to contact the file server.
    pub const TRANSFER_CONTACT: Self = Self(9015);
    /// CPE: unable to access the file.
    pub const TRANSFER_ACCESS: Self = Self(9016);
    /// CPE: unable to complete the download.
    pub const TRANSFER_INCOMPLETE: Self = Self(9017);
    /// CPE: file corrupted.
    pub const TRANSFER_CORRUPTED: Self = Self(9018);
    /// CPE: file authentication failure.
    pub const TRANSFER_SIGNATURE: Self = Self(9019);

    /// The standard's words for this code; `None` for a vendor's or an unknown one.
    pub fn meaning(self) -> Option<&'static str> {
        Some(match self.0 {
            8000 => "method not supported",
            8001 => "request denied",
            8002 => "internal error",
            8003 => "invalid arguments",
            8004 => "resources exceeded",
            8005 => "retry request",
            8006 => "ACS version incompatible with CPE",
            9000 => "method not supported",
            9001 => "request denied",
            9002 => "internal error",
            9003 => "invalid arguments",
            9004 => "resources exceeded",
            9005 => "invalid parameter name",
            9006 => "invalid parameter type",
            9007 => "invalid parameter value",
            9008 => "attempt to set a non-writable parameter",
            9009 => "notification request rejected",
            9010 => "file transfer failure",
            9011 => "upload failure",
            9012 => "file transfer server authentication failure",
            9013 => "unsupported protocol for file transfer",
            9014 => "unable to join multicast group",
            9015 => "unable to contact file server",
            9016 => "unable to access file",
            9017 => "unable to complete download",
            9018 => "file corrupted",
            9019 => "file authentication failure",
            9020 => "unable to complete download within specified time windows",
            9021 => "cancelation of file transfer not permitted in current transfer state",
            9022 => "invalid UUID format",
            9023 => "unknown execution environment",
            9024 => "disabled execution environment",
            9025 => "deployment unit to execution environment mismatch",
            9026 => "duplicate deployment unit",
            9027 => "system resources exceeded",
            9028 => "unknown deployment unit",
            9029 => "invalid deployment unit state",
            9030 => "invalid deployment unit update: downgrade not permitted",
            9031 => "invalid deployment unit update: version not specified",
            9032 => "invalid deployment unit update: version already exists",
            _ => return None,
        })
    }

    /// `Client` when the request is to blame, `Server` when the receiver is (A.5.1, A.5.2).
    pub fn soap_faultcode(self) -> &'static str {
        match self.0 {
            8000 | 8003 | 9000 | 9003 | 9005..=9009 | 9013 | 9021..=9026 | 9028..=9032 => "Client",
            _ => "Server",
        }
    }
}
