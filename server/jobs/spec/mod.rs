//! What a job does, as it is stored in `jobs.args` and taken by the API.
//!
//! Owns the rule that an overwrite of a whole configuration cannot be asked for by accident
//! (`.alter` rule): the two forms are different types, and the dangerous one needs its own words.

use muster_cwmp::rpc::{DuOperation, TimeWindow};
use muster_cwmp::value::ValueType;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fleet::secret::is_secret;

mod diagnose;
mod file;
mod validate;

pub use diagnose::DiagnosticTest;
pub use file::{
    DownloadFile, DownloadSpec, FactoryConfirmation, OverwriteConfirmation, UploadFile,
};
pub use validate::{MAX_NAME, MAX_PACKAGES, MAX_PARAMETERS, MAX_VALUE};

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
    /// Bring RouterOS to a version: the device fetches a list of packages that is made for it, and
    /// the packages. Done when it says that it runs that version.
    Upgrade {
        /// Such as `7.16.1`.
        version: String,
        /// Stored packages, all of that version and of one architecture, `tr069-client` among them.
        packages: Vec<Uuid>,
        /// What the device runs as this is ordered. One that runs something else when it comes, and not
        /// `version`, is left alone: it was changed meanwhile, and might be sent down. Not looked at when
        /// absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// Run what a template says for this device, on top of what is there. Made by Muster from a
    /// template; the text is in the job, so that what is fetched is what was decided.
    Configure {
        /// The template, and which of its versions.
        template_id: Uuid,
        /// See `template_id`.
        version: i32,
        /// The template's name.
        name: String,
        /// The whole script; sealed in the row, as values of secrets stand in it.
        script: String,
        /// Hash of what the template gave, in hex: the same again is not sent.
        sha256: String,
    },
    /// Install, update or remove software modules (CWMP 1.2).
    ChangeDuState {
        /// At least one.
        #[schema(value_type = Vec<Object>)]
        operations: Vec<DuOperation>,
    },
    /// Have the device test its connection: ping, traceroute, or the speed to a server.
    Diagnose {
        /// Which test.
        test: DiagnosticTest,
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
            Self::Upgrade { .. } => "upgrade",
            Self::Configure { .. } => "configure",
            Self::ChangeDuState { .. } => "change_du_state",
            Self::Diagnose { .. } => "diagnose",
            Self::ConnectionRequest => "connection_request",
            Self::Credentials => "credentials",
        }
    }

    /// Its secrets in place, each with the name under which it is sealed.
    pub fn secrets_mut(&mut self) -> Vec<(&str, &mut String)> {
        match self {
            Self::Set { parameters } | Self::AddObject { parameters, .. } => parameters
                .iter_mut()
                .filter(|p| is_secret(&p.name))
                .map(|p| (p.name.as_str(), &mut p.value))
                .collect(),
            Self::Configure { script, .. } => vec![("script", script)],
            Self::ChangeDuState { operations } => operations
                .iter_mut()
                .filter_map(|operation| match operation {
                    DuOperation::Install { password, .. }
                    | DuOperation::Update { password, .. } => password.as_mut(),
                    DuOperation::Uninstall { .. } => None,
                })
                .map(|password| ("password", password))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What nobody may read of it, in clear: its secrets, and what opens the URLs of its modules.
    pub fn secrets(&self) -> Vec<String> {
        let mut spec = self.clone();
        let mut found: Vec<String> =
            spec.secrets_mut().into_iter().map(|(_, value)| value.clone()).collect();
        if let Self::ChangeDuState { operations } = self {
            for operation in operations {
                let url = match operation {
                    DuOperation::Install { url, .. } => Some(url),
                    DuOperation::Update { url, .. } => url.as_ref(),
                    DuOperation::Uninstall { .. } => None,
                };
                let Some(Ok(url)) = url.map(|url| Url::parse(url)) else { continue };
                let opens = [url.password(), url.query()];
                found.extend(opens.into_iter().flatten().map(str::to_owned));
            }
        }
        found
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
            | Self::Diagnose { .. }
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
            | Self::Upgrade { .. }
            | Self::Configure { .. }
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
            Self::Upgrade { .. } | Self::ChangeDuState { .. } => Some(3_600),
            Self::Configure { .. } => Some(1_800),
            Self::Diagnose { test } => Some(300 + test.longest_seconds()),
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
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::error::Error;

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
            JobSpec::Diagnose { test: DiagnosticTest::DownloadSpeed { url: String::new() } },
            JobSpec::Upgrade {
                version: "7.16.1".to_owned(),
                packages: vec![Uuid::nil()],
                from: None,
            },
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

    #[test]
    fn an_upgrade_names_a_version_and_each_package_once() {
        let one = Uuid::from_u128(1);
        let upgrade = |version: &str, packages: &[Uuid]| JobSpec::Upgrade {
            version: version.to_owned(),
            packages: packages.to_vec(),
            from: Some("7.12.1 (stable)".to_owned()),
        };
        let good = upgrade("7.16.1", &[one, Uuid::nil()]);
        assert!(good.validate().is_ok());
        let JobSpec::Upgrade { version, packages, .. } = good.clone() else { unreachable!() };
        let odd = JobSpec::Upgrade { version, packages, from: Some("before".to_owned()) };
        assert!(
            matches!(odd.validate(), Err(Error::Invalid { pointer, .. }) if pointer == "/from")
        );
        assert!(!good.idempotent() && good.confirm_seconds().is_some());
        for (bad, at) in [
            (upgrade("latest", &[one]), "/version"),
            (upgrade("7.16.1", &[]), "/packages"),
            (upgrade("7.16.1", &[one; 65]), "/packages"),
            (upgrade("7.16.1", &[one, one]), "/packages/1"),
        ] {
            let Err(Error::Invalid { pointer, .. }) = bad.validate() else { panic!("{bad:?}") };
            assert_eq!(pointer, at);
        }
    }
}
