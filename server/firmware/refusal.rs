//! Why a device cannot be brought to a release, in words that say what to do.

use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use thiserror::Error;

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It runs this version already.
    #[error("it runs {0} already")]
    AlreadyThere(RosVersion),
    /// It runs a newer one, and was not to be taken down.
    #[error("it runs {current}, which is newer than {target}; to take it down, allow a downgrade")]
    Newer {
        /// What it runs.
        current: RosVersion,
        /// What was asked for.
        target: RosVersion,
    },
    /// It has not said which version it runs.
    #[error("it has not said which version it runs; wait for its next inform")]
    UnknownVersion,
    /// What it says it runs is no version of RouterOS.
    #[error("it runs `{0}`, which is no version of RouterOS")]
    NotRouterOs(String),
    /// It has not said its architecture, or said none that packages are made for.
    #[error("its architecture is not known{}; refresh its parameters", said(.0))]
    UnknownArchitecture(Option<String>),
    /// Nothing new may be sent of this release.
    #[error("{version} was withdrawn{}", because(.why))]
    Withdrawn {
        /// The release.
        version: RosVersion,
        /// What was said when it was withdrawn; may be empty.
        why: String,
    },
    /// Packages that it needs are not stored.
    #[error("{} not stored: upload {}", are(.0), .0.join(", "))]
    MissingPackage(Vec<String>),
    /// The device does not let this version be installed.
    #[error(
        "it lets only {allowed} be installed, and {version} is not among them{}; allow \
         install-any-version on the device itself, which takes a press of its button",
        mode(.device_mode)
    )]
    NotAllowed {
        /// The release on the way, or at its end.
        version: RosVersion,
        /// The list, as the device writes it.
        allowed: String,
        /// Its device-mode, where it has said that.
        device_mode: Option<String>,
    },
    /// No way leads there.
    #[error("{target} cannot be installed on it: {why}")]
    NoPath {
        /// The release that cannot be.
        target: RosVersion,
        /// What is in the way.
        why: String,
    },
    /// Packages that cannot be sent together.
    #[error("these packages cannot be sent together: {0}")]
    BadSet(String),
}

impl Refusal {
    /// One word for lists and counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AlreadyThere(_) => "already_there",
            Self::Newer { .. } => "newer",
            Self::UnknownVersion => "unknown_version",
            Self::NotRouterOs(_) => "not_routeros",
            Self::UnknownArchitecture(_) => "unknown_architecture",
            Self::Withdrawn { .. } => "withdrawn",
            Self::MissingPackage(_) => "missing_package",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NoPath { .. } => "no_path",
            Self::BadSet(_) => "bad_set",
        }
    }

    /// No release of this architecture has what the device needs.
    pub(super) fn radio(target: &RosVersion, package: &str, arch: Arch) -> Self {
        let why = format!("its radios need {package}, which {target} does not have for {arch}");
        Self::NoPath { target: *target, why }
    }
}

fn said(arch: &Option<String>) -> String {
    arch.as_ref().map_or_else(String::new, |arch| format!(": it says `{arch}`"))
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

fn are(files: &[String]) -> &'static str {
    if files.len() == 1 { "a package is" } else { "packages are" }
}

fn mode(mode: &Option<String>) -> String {
    mode.as_ref().map_or_else(String::new, |mode| format!(" (its device-mode is {mode})"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_says_in_words_what_is_wrong() {
        let [old, new] = [RosVersion::release(7, 12, 1), RosVersion::release(7, 16, 1)];
        let text = |text: &str| text.to_owned();
        let all = [
            (Refusal::AlreadyThere(new), "it runs 7.16.1 already"),
            (Refusal::Newer { current: new, target: old }, "which is newer than 7.12.1"),
            (Refusal::UnknownVersion, "wait for its next inform"),
            (Refusal::NotRouterOs(text("V1.0")), "`V1.0`"),
            (Refusal::UnknownArchitecture(None), "is not known; refresh"),
            (Refusal::Withdrawn { version: new, why: text("it loops") }, "withdrawn: it loops"),
            (Refusal::MissingPackage(vec![text("a.npk"), text("b.npk")]), "upload a.npk, b.npk"),
            (
                Refusal::NotAllowed {
                    version: old,
                    allowed: text("7.13+"),
                    device_mode: Some(text("home")),
                },
                "and 7.12.1 is not among them (its device-mode is home); allow",
            ),
            (Refusal::radio(&old, "wifi-qcom-be", Arch::Arm64), "need wifi-qcom-be, which 7.12.1"),
            (Refusal::BadSet(text("no")), "together: no"),
        ];
        for (refusal, words) in &all {
            let said = refusal.to_string();
            assert!(said.contains(words), "{said}");
            assert!(!refusal.kind().is_empty());
        }
        let kinds: BTreeSet<&str> = all.iter().map(|(refusal, _)| refusal.kind()).collect();
        assert_eq!(kinds.len(), all.len(), "each has a kind of its own");
        assert_eq!(
            Refusal::UnknownArchitecture(Some(text("vax"))).to_string(),
            "its architecture is not known: it says `vax`; refresh its parameters"
        );
        assert_eq!(
            Refusal::MissingPackage(vec![text("a.npk")]).to_string(),
            "a package is not stored: upload a.npk"
        );
    }
}
