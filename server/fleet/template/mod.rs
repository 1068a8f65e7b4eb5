//! Templates: RouterOS scripts with typed variables. Pure.
//!
//! Owns what a variable may be and what a value must be to be one. A template is a program of
//! whoever wrote it: it is never rendered in this process, but by `render`. [`mod@bench`]: what more a
//! script must be to be the first of a board. [`builtin`]: the templates that come with Muster.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub mod bench;
pub mod builtin;
mod masked;
mod value;

pub use masked::settle_masked;
pub use value::{Wrong, check_variables, resolve, sample, samples, settle};

/// Bytes of a template.
pub const MAX_BODY: usize = 64 * 1024;
/// Variables of a template.
pub const MAX_VARIABLES: usize = 100;

/// A variable that a template declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TemplateVariable)]
pub struct Variable {
    /// A letter or `_`, then letters, digits and `_`.
    pub name: String,
    /// What its values are.
    #[serde(flatten)]
    pub kind: Kind,
    /// What forms call it; its name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The heading under which forms show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Nothing is rendered without a value.
    #[serde(default)]
    pub required: bool,
    /// The value where nobody gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub default: Option<Value>,
}

/// What the values of a variable are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = TemplateVariableType)]
pub enum Kind {
    /// Text.
    String(Text),
    /// Text that is sealed, and shown to nobody. Its name must say so: `wifi_password`.
    Secret(Text),
    /// An IPv4 or IPv6 address.
    Ip,
    /// A network with its length, or an address with one: `192.168.88.1/24`.
    Prefix,
    /// An Ethernet address, with colons.
    Mac,
    /// A whole number.
    Int {
        /// At least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// At most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// Yes or no.
    Bool,
    /// One of these words.
    Enum {
        /// At least one.
        values: Vec<String>,
    },
    /// Several.
    List {
        /// What each of them is; no list and no secret.
        #[schema(no_recursion)]
        of: Box<Kind>,
        /// How many at most; 100 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<usize>,
    },
}

/// How long a text may be, and what stands in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TemplateTextRules)]
pub struct Text {
    /// Characters at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<usize>,
    /// Characters at most; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// A regular expression that the whole of it must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// Values that fit the variables of a template: what is rendered.
pub type Values = BTreeMap<String, Value>;
