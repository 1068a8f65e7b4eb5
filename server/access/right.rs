//! Rights: what a role allows and what a token's scopes are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that somebody may do. A few include others, see [`Right::includes`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// The support view of a device, and what that lets be changed.
    Support,
    /// See devices, their parameters, jobs, files, sites and groups.
    Read,
    /// Make and cancel jobs, place devices, keep files, sites and groups.
    Operate,
    /// Let rollouts go on.
    Approve,
    /// Arm the bench.
    Bench,
    /// See secrets in clear; each look is in the audit log.
    Secrets,
    /// Read the audit log.
    Audit,
    /// Everything: people, roles, tokens, removing devices.
    Admin,
}

impl Right {
    /// All of them, from the least to the greatest.
    pub const ALL: [Self; 8] = [
        Self::Support,
        Self::Read,
        Self::Operate,
        Self::Approve,
        Self::Bench,
        Self::Secrets,
        Self::Audit,
        Self::Admin,
    ];

    /// The word in the database, the API and the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Approve => "approve",
            Self::Bench => "bench",
            Self::Secrets => "secrets",
            Self::Audit => "audit",
            Self::Admin => "admin",
        }
    }

    /// What it allows, in words for the page of roles.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Support => "The support view of a device, and what that lets be changed",
            Self::Read => "See devices, parameters, jobs, files, sites and groups",
            Self::Operate => "Make and cancel jobs, place devices, keep files, sites and groups",
            Self::Approve => "Let rollouts go on",
            Self::Bench => "Arm the bench",
            Self::Secrets => "See secrets in clear; each look is in the audit log",
            Self::Audit => "Read the audit log",
            Self::Admin => "Everything: people, roles, tokens, removing devices",
        }
    }

    /// Whether who has this right may also do what `other` allows.
    pub fn includes(self, other: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Operate => matches!(other, Self::Operate | Self::Read | Self::Support),
            Self::Approve | Self::Bench | Self::Secrets => other == self || other == Self::Read,
            Self::Support | Self::Read | Self::Audit => other == self,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Right {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|right| right.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            format!("`{text}` is no right: {}", words.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn words_lead_back_to_rights() {
        for right in Right::ALL {
            assert_eq!(right.word().parse::<Right>().unwrap(), right);
            assert_eq!(serde_json::to_value(right).unwrap(), right.word());
        }
        assert!("root".parse::<Right>().unwrap_err().contains("support, read, operate"));
    }

    #[test]
    fn greater_rights_include_lesser_ones_and_never_the_other_way() {
        for right in Right::ALL {
            assert!(right.includes(right));
            assert!(Right::Admin.includes(right));
            assert_eq!(right.includes(Right::Admin), right == Right::Admin);
        }
        assert!(Right::Operate.includes(Right::Support) && !Right::Read.includes(Right::Support));
        assert!(!Right::Operate.includes(Right::Secrets) && !Right::Operate.includes(Right::Audit));
    }
}
