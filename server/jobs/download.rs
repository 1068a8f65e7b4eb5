//! From a download job to the Download RPC: file type, and a URL whose ending says the same.
//!
//! Owns the second half of the `.alter` rule (the first is in `spec`): RouterOS decides by the name
//! at the end of the URL alone whether a configuration file is run as a script or replaces
//! everything. So the name is made here from the type, never taken from a person.

use muster_cwmp::rpc::{Download, ScheduleDownload, TimeWindow, Upload};
use uuid::Uuid;

use super::spec::{DownloadFile, DownloadSpec, UploadFile};

/// TR-069 A.3.2.8: a URL has at most 256 characters, host and token included (C10).
pub const MAX_URL: usize = 256;

/// The name of the list of packages that an upgrade fetches.
pub const MANIFEST: &str = "upgrade.xml";

/// CommandKey of a job: its id as 32 hex digits, the most the standard allows (C8).
pub fn command_key(job_id: Uuid) -> String {
    job_id.simple().to_string()
}

/// The job a CommandKey names, if it is one of ours.
pub fn job_of_key(key: &str) -> Option<Uuid> {
    (key.len() == 32).then(|| Uuid::try_parse(key).ok()).flatten()
}

/// The name at the end of the URL for this file of this job.
pub fn file_name(file: &DownloadFile, artifact_name: &str) -> String {
    match file {
        DownloadFile::Alter => "change.alter".to_owned(),
        DownloadFile::Overwrite { .. } => "configuration.rsc".to_owned(),
        DownloadFile::FactoryConfiguration { .. } => "factory.rsc".to_owned(),
        DownloadFile::Firmware | DownloadFile::WebContent => plain(artifact_name),
    }
}

/// The FileType text, to the letter.
pub fn file_type(file: &DownloadFile) -> &'static str {
    match file {
        DownloadFile::Firmware => "1 Firmware Upgrade Image",
        DownloadFile::WebContent => "2 Web Content",
        DownloadFile::Alter | DownloadFile::Overwrite { .. } => "3 Vendor Configuration File",
        DownloadFile::FactoryConfiguration { .. } => "X MIKROTIK Factory Configuration File",
    }
}

/// What the URL of a transfer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferUrl {
    /// Everything before the name, ending in a slash; signed and expiring.
    pub base: String,
    /// Name of the stored artifact; for uploads unused.
    pub artifact_name: String,
    /// Bytes of the stored artifact; for uploads 0.
    pub size: u64,
}

impl TransferUrl {
    fn full(&self, name: &str) -> Result<String, String> {
        let url = format!("{}{name}", self.base);
        if url.len() > MAX_URL {
            return Err(format!(
                "the URL for the device has {} characters, TR-069 allows {MAX_URL}: shorten acs.public_url or the file's name",
                url.len()
            ));
        }
        Ok(url)
    }
}

/// The Download RPC of a job.
pub fn rpc(job_id: Uuid, spec: &DownloadSpec, url: &TransferUrl) -> Result<Download, String> {
    let name = file_name(&spec.file, &url.artifact_name);
    Ok(Download {
        command_key: command_key(job_id),
        file_type: file_type(&spec.file).to_owned(),
        url: url.full(&name)?,
        username: String::new(),
        password: String::new(),
        // 6.1: FileSize is 32 bits wide; 0 = unknown.
        file_size: u32::try_from(url.size).unwrap_or(0),
        target_file_name: name,
        delay_seconds: spec.delay_seconds,
        success_url: String::new(),
        failure_url: String::new(),
    })
}

/// The Download RPC of an upgrade: its file is the list of packages, made for the device when it
/// fetches it. `longest` is the longest name among them: their addresses, which stand in the list and
/// are as long as its own but for the name, must fit, too.
pub fn upgrade(job_id: Uuid, longest: &str, url: &TransferUrl) -> Result<Download, String> {
    url.full(&plain(longest))?;
    Ok(Download {
        command_key: command_key(job_id),
        file_type: file_type(&DownloadFile::Firmware).to_owned(),
        url: url.full(MANIFEST)?,
        username: String::new(),
        password: String::new(),
        // It is not made yet.
        file_size: 0,
        target_file_name: MANIFEST.to_owned(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    })
}

/// The Download RPC of a configuration: its file is the script that stands in the job.
pub fn configure(job_id: Uuid, size: usize, url: &TransferUrl) -> Result<Download, String> {
    let alter = DownloadFile::Alter;
    let artifact_id = Uuid::nil();
    let spec = DownloadSpec { artifact_id, file: alter, delay_seconds: 0 };
    let size = u64::try_from(size).unwrap_or(0);
    rpc(job_id, &spec, &TransferUrl { size, ..url.clone() })
}

/// The ScheduleDownload RPC of a job.
pub fn scheduled(
    job_id: Uuid,
    spec: &DownloadSpec,
    windows: &[TimeWindow],
    url: &TransferUrl,
) -> Result<ScheduleDownload, String> {
    let d = rpc(job_id, spec, url)?;
    Ok(ScheduleDownload {
        command_key: d.command_key,
        file_type: d.file_type,
        url: d.url,
        username: d.username,
        password: d.password,
        file_size: d.file_size,
        target_file_name: d.target_file_name,
        time_windows: windows.to_vec(),
    })
}

/// The Upload RPC of a job.
pub fn upload(job_id: Uuid, file: &UploadFile, url: &TransferUrl) -> Result<Upload, String> {
    Ok(Upload {
        command_key: command_key(job_id),
        file_type: file.file_type(),
        url: url.full(file.file_name())?,
        username: String::new(),
        password: String::new(),
        delay_seconds: 0,
    })
}

/// An artifact's name as a path segment that needs no escaping, and that can never end like an
/// alter script.
pub fn plain(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    let safe = safe.trim_start_matches('.');
    let tail = safe.char_indices().rev().nth(79).map_or(safe, |(i, _)| &safe[i..]);
    match tail {
        "" => "file".to_owned(),
        t if t.to_ascii_lowercase().ends_with(".alter") => format!("{t}.bin"),
        t => t.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::spec::{FactoryConfirmation, OverwriteConfirmation};
    use proptest::prelude::*;

    fn overwrite() -> DownloadFile {
        let words = OverwriteConfirmation::WORDS.to_owned();
        DownloadFile::Overwrite { confirm: words.try_into().expect("the words"), as_it_is: false }
    }
    fn factory() -> DownloadFile {
        let words = FactoryConfirmation::WORDS.to_owned();
        DownloadFile::FactoryConfiguration { confirm: words.try_into().expect("the words") }
    }

    proptest! {
        /// Whatever the artifact is called: an alter always ends in `.alter`, nothing else ever does.
        #[test]
        fn only_an_alter_ends_like_one(name in ".{0,120}|.{0,20}\\.(alter|ALTER|Alter)") {
            let url = TransferUrl { base: "http://a/f/t/".into(), artifact_name: name, size: 1 };
            for file in [DownloadFile::Firmware, DownloadFile::WebContent, DownloadFile::Alter, overwrite(), factory()] {
                let alter = file == DownloadFile::Alter;
                let spec = DownloadSpec { artifact_id: Uuid::nil(), file, delay_seconds: 0 };
                let rpc = rpc(Uuid::nil(), &spec, &url).expect("fits");
                prop_assert_eq!(rpc.url.to_ascii_lowercase().ends_with(".alter"), alter);
                prop_assert_eq!(rpc.target_file_name.to_ascii_lowercase().ends_with(".alter"), alter);
                let last = rpc.url.rsplit('/').next().unwrap_or_default().to_owned();
                prop_assert!(!last.is_empty() && last.is_ascii() && !last.contains(['?', '#', '%']));
            }
        }
    }

    #[test]
    fn a_url_that_the_standard_forbids_is_refused_in_words() {
        let url = TransferUrl {
            base: format!("http://{}/", "h".repeat(250)),
            artifact_name: "x".into(),
            size: 1,
        };
        let spec =
            DownloadSpec { artifact_id: Uuid::nil(), file: DownloadFile::Alter, delay_seconds: 0 };
        assert!(rpc(Uuid::nil(), &spec, &url).expect_err("too long").contains("256"));
    }

    #[test]
    fn an_upgrade_fetches_a_list_and_leaves_room_for_its_packages() {
        let url = |host: usize| TransferUrl {
            base: format!("https://{}/f/t/", "h".repeat(host)),
            artifact_name: String::new(),
            size: 0,
        };
        let rpc = |host| upgrade(Uuid::nil(), "wifi-qcom-ac-7.16.1-arm.npk", &url(host));
        let fits = rpc(20).expect("fits");
        assert_eq!(fits.file_type, "1 Firmware Upgrade Image");
        assert!(fits.url.ends_with("/upgrade.xml") && fits.target_file_name == "upgrade.xml");
        // The list itself would fit; the longest of its packages does not.
        assert!(rpc(MAX_URL - 34).expect_err("too long").contains("256"));
    }

    #[test]
    fn a_command_key_has_32_characters_and_comes_back() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let key = command_key(id);
        assert_eq!((key.len(), job_of_key(&key)), (32, Some(id)));
        for foreign in ["", "k", "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(job_of_key(foreign), None);
        }
    }
}
