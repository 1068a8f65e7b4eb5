//! Parameter values and times as CWMP carries them.

use serde::{Deserialize, Serialize};

/// A parameter with its value and XSD type (ParameterValueStruct).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterValue {
    /// Full path.
    pub name: String,
    /// As received; `(null)` and empty are kept.
    pub value: String,
    /// From `xsi:type`.
    #[serde(rename = "type")]
    pub kind: ValueType,
}

impl ParameterValue {
    /// A parameter of the given type.
    pub fn new(name: impl Into<String>, value: impl Into<String>, kind: ValueType) -> Self {
        Self { name: name.into(), value: value.into(), kind }
    }

    /// A parameter of type `xsd:string`.
    pub fn string(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(name, value, ValueType::String)
    }
}

/// The XSD types of TR-106 2.2; an unknown one is sent as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueType {
    /// `xsd:string`, also where the device names no type.
    #[default]
    String,
    /// `xsd:int`
    Int,
    /// `xsd:unsignedInt`
    UnsignedInt,
    /// `xsd:long`
    Long,
    /// `xsd:unsignedLong`
    UnsignedLong,
    /// `xsd:boolean`
    Boolean,
    /// `xsd:dateTime`
    DateTime,
    /// `xsd:base64Binary` (and SOAP-ENC:base64)
    Base64,
    /// `xsd:hexBinary`
    HexBinary,
}

impl ValueType {
    /// The local name after `xsd:`.
    pub fn xsd(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::UnsignedInt => "unsignedInt",
            Self::Long => "long",
            Self::UnsignedLong => "unsignedLong",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Base64 => "base64Binary",
            Self::HexBinary => "hexBinary",
        }
    }

    /// Reads the value of an `xsi:type` attribute with any prefix; unknown types are strings.
    pub fn from_xsi(text: &str) -> Self {
        let local = text.rsplit(':').next().unwrap_or(text).trim();
        match local {
            "int" | "integer" => Self::Int,
            "unsignedInt" => Self::UnsignedInt,
            "long" => Self::Long,
            "unsignedLong" => Self::UnsignedLong,
            "boolean" => Self::Boolean,
            "dateTime" => Self::DateTime,
            "base64Binary" | "base64" => Self::Base64,
            "hexBinary" => Self::HexBinary,
            _ => Self::String,
        }
    }
}

/// A dateTime as sent. Devices send times that are none (`0000-00-00T00:00:00`, `11:54::14`, empty),
/// so the text is kept and only a reader that needs an instant asks for one (A2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub String);

impl Timestamp {
    /// TR-069 3.2: the Unknown Time.
    pub const UNKNOWN: &'static str = "0001-01-01T00:00:00Z";

    /// The Unknown Time.
    pub fn unknown() -> Self {
        Self(Self::UNKNOWN.to_owned())
    }

    /// Empty, or the Unknown Time in any of the forms seen.
    pub fn is_unknown(&self) -> bool {
        let t = self.0.trim();
        t.is_empty() || t.starts_with("0001-01-01") || t.starts_with("0000-")
    }
}
