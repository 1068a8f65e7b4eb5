//! What a job does, as it is stored in `jobs.args` and taken by the API.
//!
//! Owns the rule that an overwrite of a whole configuration cannot be asked for by accident
//! (`.alter` rule): the two forms are different types, and the dangerous one needs its own words.

use muster_cwmp::rpc::{DuOperation, TimeWindow};
use muster_cwmp::value::ValueType;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;

/// Parameters in one job: beyond it a device's own limit is near, and the audit unreadable.
pub const MAX_PARAMETERS: usize = 1_000;
/// TR-069: names and object paths have at most 256 characters.
pub const MAX_NAME: usize = 256;
/// A value longer than this is no setting but a file.
pub const MAX_VALUE: usize = 65_536;

/// One piece of work on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum JobSpec {
    /// Read parameters, by full name or partial path ending in a dot.
    Get {
        /// At least one.
        names: Vec<String>,
    },
    /// Write parameters; the device applies all or none.
    Set {
        /// At least one; no name twice.
        parameters: Vec<SetParameter>,
    },
    /// Create an instance of an object and, in the same job, fill it.
    AddObject {
        /// Path of the table, ending in a dot.
        object: String,
        /// Parameters of the new instance, named relative to it.
        #[serde(default)]
        parameters: Vec<SetParameter>,
    },
    /// Delete an instance of an object.
    DeleteObject {
        /// Path of the instance, ending in a dot.
        object: String,
    },
    /// Read notification and access attributes.
    GetAttributes {
        /// Names or partial paths.
        names: Vec<String>,
    },
    /// Change notification or access attributes.
    SetAttributes {
        /// At least one.
        attributes: Vec<SetAttribute>,
    },
    /// Read the data model, or the part below a path, in as few calls as the device allows.
    Refresh {
        /// Partial path ending in a dot; the whole model when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// Ask which methods the device has.
    Methods,
    /// Restart the device.
    Reboot,
    /// Back to factory settings. On RouterOS this also drops certificates and the ACS settings
    /// unless the factory configuration holds them.
    FactoryReset,
    /// Have the device fetch a file.
    Download(DownloadSpec),
    /// Have the device send a file.
    Upload {
        /// Which one.
        file: UploadFile,
    },
    /// Ask for a session later.
    ScheduleInform {
        /// Seconds from now.
        delay_seconds: u32,
    },
    /// List the transfers the device has open.
    QueuedTransfers,
    /// Cancel the transfer of an earlier job.
    CancelTransfer {
        /// The job that ordered it.
        job_id: Uuid,
    },
    /// Have the device fetch a file within one or two time windows (CWMP 1.2).
    ScheduleDownload {
        /// What to fetch.
        download: DownloadSpec,
        /// One or two.
        #[schema(value_type = Vec<Object>)]
        windows: Vec<TimeWindow>,
    },
    /// Install, update or remove software modules (CWMP 1.2).
    ChangeDuState {
        /// At least one.
        #[schema(value_type = Vec<Object>)]
        operations: Vec<DuOperation>,
    },
    /// Wake the device now. Closed by its next session.
    ConnectionRequest,
    /// Write the device's own ACS and connection-request credentials. Made by Muster itself at
    /// enrolment; the secrets are not in the job.
    Credentials,
}

/// One parameter to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetParameter {
    /// Full name.
    pub name: String,
    /// Value in XSD form.
    pub value: String,
    /// Only where the device's own type is unknown or wrong.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<ValueType>,
}

/// One attribute change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAttribute {
    /// Name or partial path.
    pub name: String,
    /// 0 off, 1 passive, 2 active; absent = unchanged.
    #[serde(default)]
    pub notification: Option<u8>,
    /// `Subscriber`, or empty for none; absent = unchanged.
    #[serde(default)]
    pub access_list: Option<Vec<String>>,
}

/// A file for the device and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadSpec {
    /// Which stored artifact.
    pub artifact_id: Uuid,
    /// What the device is to do with it.
    pub file: DownloadFile,
    /// Seconds the device waits before it starts.
    #[serde(default)]
    pub delay_seconds: u32,
}

/// The file types of Download (TR-069 A.3.2.8) with RouterOS's meaning of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum DownloadFile {
    /// `1 Firmware Upgrade Image`: for RouterOS an upgrade manifest (XML), for others the image.
    Firmware,
    /// `2 Web Content`.
    WebContent,
    /// `3 Vendor Configuration File` run as a script on top of what is there.
    Alter,
    /// `3 Vendor Configuration File` in place of everything that is there, with a reboot.
    Overwrite {
        /// The words [`OverwriteConfirmation::WORDS`].
        confirm: OverwriteConfirmation,
    },
    /// `X MIKROTIK Factory Configuration File`: what the device runs after its next reset. A
    /// mistake in it leaves the device unreachable after that reset.
    FactoryConfiguration {
        /// The words [`FactoryConfirmation::WORDS`].
        confirm: FactoryConfirmation,
    },
}

macro_rules! confirmation {
    ($(#[$doc:meta])* $name:ident, $words:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, example = $words)]
        pub struct $name(());

        impl $name {
            /// What must be said, to the letter.
            pub const WORDS: &'static str = $words;
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(words: String) -> Result<Self, String> {
                if words == Self::WORDS {
                    Ok(Self(()))
                } else {
                    Err(format!("confirm must be \"{}\"", Self::WORDS))
                }
            }
        }

        impl From<$name> for String {
            fn from(_: $name) -> Self {
                $name::WORDS.to_owned()
            }
        }
    };
}

confirmation!(
    /// Proof that somebody meant to replace a whole configuration. There is no other way to make
    /// one than from the words.
    OverwriteConfirmation,
    "overwrite the whole configuration"
);
confirmation!(
    /// Proof that somebody meant to replace the factory configuration.
    FactoryConfirmation,
    "replace the factory configuration"
);

/// The file types of Upload (TR-069 A.4.1.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum UploadFile {
    /// `1 Vendor Configuration File`: RouterOS sends `/export`.
    Configuration,
    /// `2 Vendor Log File`
    Log,
    /// `3 Vendor Configuration File <i>`
    ConfigurationInstance {
        /// Instance in `DeviceInfo.VendorConfigFile`.
        instance: u32,
    },
    /// `4 Vendor Log File <i>`
    LogInstance {
        /// Instance in `DeviceInfo.VendorLogFile`.
        instance: u32,
    },
    /// `X MIKROTIK Factory Configuration File`
    FactoryConfiguration,
}

impl UploadFile {
    /// The FileType text, to the letter.
    pub fn file_type(&self) -> String {
        match self {
            Self::Configuration => "1 Vendor Configuration File".to_owned(),
            Self::Log => "2 Vendor Log File".to_owned(),
            Self::ConfigurationInstance { instance } => {
                format!("3 Vendor Configuration File {instance}")
            }
            Self::LogInstance { instance } => format!("4 Vendor Log File {instance}"),
            Self::FactoryConfiguration => "X MIKROTIK Factory Configuration File".to_owned(),
        }
    }

    /// The name under which the file is sent and stored.
    pub fn file_name(&self) -> &'static str {
        match self {
            Self::Configuration | Self::ConfigurationInstance { .. } => "configuration.rsc",
            Self::Log | Self::LogInstance { .. } => "log.txt",
            Self::FactoryConfiguration => "factory.rsc",
        }
    }
}

impl JobSpec {
    /// The word stored in `jobs.kind`; equal to the `kind` tag.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Set { .. } => "set",
            Self::AddObject { .. } => "add_object",
            Self::DeleteObject { .. } => "delete_object",
            Self::GetAttributes { .. } => "get_attributes",
            Self::SetAttributes { .. } => "set_attributes",
            Self::Refresh { .. } => "refresh",
            Self::Methods => "methods",
            Self::Reboot => "reboot",
            Self::FactoryReset => "factory_reset",
            Self::Download(_) => "download",
            Self::Upload { .. } => "upload",
            Self::ScheduleInform { .. } => "schedule_inform",
            Self::QueuedTransfers => "queued_transfers",
            Self::CancelTransfer { .. } => "cancel_transfer",
            Self::ScheduleDownload { .. } => "schedule_download",
            Self::ChangeDuState { .. } => "change_du_state",
            Self::ConnectionRequest => "connection_request",
            Self::Credentials => "credentials",
        }
    }

    /// Whether sending it twice is the same as sending it once. What is not so is never sent again
    /// when a session was lost after it was sent: its outcome is awaited, or reported as unknown.
    pub fn idempotent(&self) -> bool {
        match self {
            Self::Get { .. }
            | Self::Set { .. }
            | Self::GetAttributes { .. }
            | Self::SetAttributes { .. }
            | Self::Refresh { .. }
            | Self::Methods
            | Self::QueuedTransfers
            | Self::CancelTransfer { .. }
            | Self::ConnectionRequest
            | Self::Credentials
            | Self::Upload { .. } => true,
            Self::AddObject { .. }
            | Self::DeleteObject { .. }
            | Self::Reboot
            | Self::FactoryReset
            | Self::Download(_)
            | Self::ScheduleInform { .. }
            | Self::ScheduleDownload { .. }
            | Self::ChangeDuState { .. } => false,
        }
    }

    /// Seconds to wait for the proof (TransferComplete, `M Reboot`, BOOTSTRAP ...) once the device
    /// has accepted; `None` where the response is the proof.
    pub fn confirm_seconds(&self) -> Option<i64> {
        match self {
            Self::Reboot => Some(900),
            Self::FactoryReset => Some(1_800),
            Self::Download(d) => Some(3_600 + i64::from(d.delay_seconds)),
            Self::Upload { .. } => Some(900),
            Self::ScheduleInform { delay_seconds } => Some(900 + i64::from(*delay_seconds)),
            Self::ScheduleDownload { windows, .. } => {
                Some(3_600 + i64::from(windows.iter().map(|w| w.end).max().unwrap_or(0)))
            }
            Self::ChangeDuState { .. } => Some(3_600),
            Self::Get { .. }
            | Self::Set { .. }
            | Self::AddObject { .. }
            | Self::DeleteObject { .. }
            | Self::GetAttributes { .. }
            | Self::SetAttributes { .. }
            | Self::Refresh { .. }
            | Self::Methods
            | Self::QueuedTransfers
            | Self::CancelTransfer { .. }
            | Self::ConnectionRequest
            | Self::Credentials => None,
        }
    }

    /// Refuses what no device could take, naming the field by an RFC 6901 pointer.
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Get { names } | Self::GetAttributes { names } => {
                count("/names", names.len())?;
                names.iter().enumerate().try_for_each(|(i, n)| name(&format!("/names/{i}"), n))
            }
            Self::Set { parameters } => {
                count("/parameters", parameters.len())?;
                set_parameters(parameters, false)
            }
            Self::AddObject { object, parameters } => {
                path("/object", object)?;
                if parameters.len() > MAX_PARAMETERS {
                    count("/parameters", parameters.len())?;
                }
                set_parameters(parameters, true)
            }
            Self::DeleteObject { object } => path("/object", object),
            Self::SetAttributes { attributes } => {
                count("/attributes", attributes.len())?;
                attributes.iter().enumerate().try_for_each(|(i, a)| {
                    name(&format!("/attributes/{i}/name"), &a.name)?;
                    if a.notification.is_some_and(|n| n > 6) {
                        let at = format!("/attributes/{i}/notification");
                        return Err(Error::invalid(at, "notification is 0 to 6"));
                    }
                    Ok(())
                })
            }
            Self::Refresh { path: Some(p) } => path("/path", p),
            Self::ScheduleDownload { windows, .. } if !(1..=2).contains(&windows.len()) => {
                Err(Error::invalid("/windows", "one or two windows"))
            }
            Self::ChangeDuState { operations } => count("/operations", operations.len()),
            Self::ScheduleInform { delay_seconds: 0 } => {
                Err(Error::invalid("/delay_seconds", "more than 0"))
            }
            Self::Refresh { path: None }
            | Self::Methods
            | Self::Reboot
            | Self::FactoryReset
            | Self::Download(_)
            | Self::Upload { .. }
            | Self::ScheduleInform { .. }
            | Self::QueuedTransfers
            | Self::CancelTransfer { .. }
            | Self::ScheduleDownload { .. }
            | Self::ConnectionRequest
            | Self::Credentials => Ok(()),
        }
    }
}

fn count(pointer: &str, n: usize) -> Result<(), Error> {
    if n == 0 || n > MAX_PARAMETERS {
        return Err(Error::invalid(pointer, format!("1 to {MAX_PARAMETERS} entries, not {n}")));
    }
    Ok(())
}

fn name(pointer: &str, text: &str) -> Result<(), Error> {
    // C1: an empty name is legal and breaks gateways; white space never belongs there.
    if text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_whitespace) {
        return Err(Error::invalid(
            pointer,
            format!("a parameter name has 1 to {MAX_NAME} characters and no white space"),
        ));
    }
    Ok(())
}

fn path(pointer: &str, text: &str) -> Result<(), Error> {
    name(pointer, text)?;
    if !text.ends_with('.') {
        return Err(Error::invalid(pointer, "an object path ends in a dot"));
    }
    Ok(())
}

fn set_parameters(parameters: &[SetParameter], relative: bool) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::new();
    for (i, p) in parameters.iter().enumerate() {
        let at = format!("/parameters/{i}/name");
        name(&at, &p.name)?;
        if p.name.ends_with('.') {
            return Err(Error::invalid(at, "a parameter, not an object"));
        }
        if !seen.insert(&p.name) {
            return Err(Error::invalid(at, "no name twice in one job (TR-069 A.3.2.1)"));
        }
        // Deviation 24: one wrong letter here and the device never comes back.
        if !relative && p.name.ends_with(".ManagementServer.URL") {
            return Err(Error::invalid(
                at,
                "the ACS URL is not changed by a set job: the device would leave this ACS for good",
            ));
        }
        if p.value.len() > MAX_VALUE {
            let at = format!("/parameters/{i}/value");
            return Err(Error::invalid(at, format!("at most {MAX_VALUE} bytes")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_overwrite_cannot_be_said_by_accident() {
        let id = "00000000-0000-0000-0000-000000000001";
        for file in [
            r#"{"type":"overwrite"}"#,
            r#"{"type":"overwrite","confirm":true}"#,
            r#"{"type":"overwrite","confirm":"yes"}"#,
            r#"{"type":"factory_configuration"}"#,
            r#"{"type":"factory_configuration","confirm":"overwrite the whole configuration"}"#,
        ] {
            let json = format!(r#"{{"kind":"download","artifact_id":"{id}","file":{file}}}"#);
            assert!(serde_json::from_str::<JobSpec>(&json).is_err(), "{json}");
        }
        let json = format!(
            r#"{{"kind":"download","artifact_id":"{id}","file":{{"type":"overwrite","confirm":"overwrite the whole configuration"}}}}"#
        );
        let spec: JobSpec = serde_json::from_str(&json).unwrap();
        assert!(!spec.idempotent());
        let back: JobSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
        assert_eq!(back, spec);
    }

    #[test]
    fn the_stored_kind_is_the_tag() {
        for spec in [
            JobSpec::Methods,
            JobSpec::Reboot,
            JobSpec::FactoryReset,
            JobSpec::Refresh { path: None },
            JobSpec::Upload { file: UploadFile::Configuration },
            JobSpec::ConnectionRequest,
            JobSpec::Credentials,
        ] {
            assert_eq!(serde_json::to_value(&spec).unwrap()["kind"], spec.kind());
        }
    }

    #[test]
    fn names_are_checked_where_they_stand() {
        let set = |n: &str| {
            let one = SetParameter { name: n.into(), value: String::new(), kind: None };
            JobSpec::Set { parameters: vec![one] }.validate()
        };
        assert!(set("Device.DeviceInfo.ProvisioningCode").is_ok());
        for bad in ["", "a b", "Device.X.", "Device.ManagementServer.URL"] {
            let Err(Error::Invalid { pointer, .. }) = set(bad) else { panic!("{bad} was taken") };
            assert_eq!(pointer, "/parameters/0/name");
        }
        assert!(JobSpec::DeleteObject { object: "Device.X.1".into() }.validate().is_err());
        assert!(JobSpec::Get { names: vec![] }.validate().is_err());
    }
}
