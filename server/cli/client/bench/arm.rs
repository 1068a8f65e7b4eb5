//! What a bench is armed for, and a board installed with, as it is said on the command line.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::client::sites::variable;

/// For what a bench is armed.
#[derive(Debug, Args)]
pub(super) struct Arm {
    /// Interface, HOST:INTERFACE, or id.
    pub(super) bench: String,
    /// Name of the template that each board gets.
    #[arg(long, value_name = "NAME")]
    template: String,
    /// For how long, 1 to 1440.
    #[arg(long, value_name = "MINUTES")]
    minutes: u32,
    /// Name of the netboot profile: how the boards are served.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// flashfig-direct, or etherboot-redirect: send boards on that are to be installed.
    #[arg(long, value_name = "WORD")]
    strategy: Option<String>,
    /// Serve boards that nobody claimed or allowed, too.
    #[arg(long)]
    any: bool,
    /// So many of those a minute.
    #[arg(long, value_name = "N", requires = "any")]
    any_per_minute: Option<u32>,
    /// Until when; an hour when absent.
    #[arg(long, value_name = "TIME", requires = "any")]
    any_until: Option<DateTime<Utc>>,
    /// Answer clients that speak DHCP instead of BOOTP.
    #[arg(long)]
    dhcp: bool,
    /// A value for templates; may be repeated. A value that is JSON is taken as such. Others on this
    /// machine see secrets in the list of processes.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,
    /// Name of the template of the mode script.
    #[arg(long, value_name = "NAME")]
    mode_template: Option<String>,
    /// Serve by a profile that nobody has verified.
    #[arg(long)]
    accept_unverified: bool,
    /// Arm although other BOOTP or DHCP servers were heard there within an hour.
    #[arg(long)]
    accept_others: bool,
    /// The name of the interface once more: needed with --any and with --dhcp.
    #[arg(long, value_name = "IF", required_if_eq_any([("any", "true"), ("dhcp", "true")]))]
    confirm: Option<String>,
}

impl Arm {
    /// The body of a request: what was said.
    pub(super) fn body(self) -> Value {
        let mut body = json!({ "minutes": self.minutes, "template": self.template });
        let texts = [
            ("profile", self.profile),
            ("strategy", self.strategy),
            ("mode_template", self.mode_template),
            ("confirm", self.confirm),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body[name] = Value::from(text);
            }
        }
        let yes = [
            ("any", self.any),
            ("dhcp", self.dhcp),
            ("accept_unverified", self.accept_unverified),
            ("accept_others", self.accept_others),
        ];
        for (name, _) in yes.into_iter().filter(|(_, said)| *said) {
            body[name] = Value::from(true);
        }
        if let Some(per_minute) = self.any_per_minute {
            body["any_per_minute"] = Value::from(per_minute);
        }
        if let Some(until) = self.any_until {
            body["any_until"] = json!(until);
        }
        if !self.variables.is_empty() {
            body["variables"] = Value::Object(Map::from_iter(self.variables));
        }
        body
    }
}

/// What a board is installed with.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// MAC address.
    pub(super) mac: String,
    /// The RouterOS version that it gets.
    #[arg(long, value_name = "VERSION")]
    release: String,
    /// A package beside the main one; may be repeated. tr069-client when absent.
    #[arg(long = "package", value_name = "NAME")]
    packages: Vec<String>,
    /// Name of the template that becomes its default configuration; that of the vendor when absent.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Within so many minutes; 60 when absent.
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u32>,
    /// Its MAC address once more: an installation formats it.
    #[arg(long, value_name = "MAC")]
    confirm: String,
}

impl Install {
    pub(super) fn body(self) -> Value {
        let mut body = json!({ "release": self.release, "confirm": self.confirm });
        if !self.packages.is_empty() {
            body["packages"] = Value::from(self.packages);
        }
        if let Some(template) = self.template {
            body["template"] = Value::from(template);
        }
        if let Some(minutes) = self.minutes {
            body["minutes"] = Value::from(minutes);
        }
        body
    }
}
