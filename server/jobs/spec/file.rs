//! The files of download and upload jobs, and the words that the dangerous ones need.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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
        /// The file is sent byte by byte. Else a MikroTik device gets it between lines that wait for its
        /// interfaces and lead it back to this server with its own credentials.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        as_it_is: bool,
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
