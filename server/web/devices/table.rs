//! The columns of the list: what each shows of a device, on the page and in a file. Pure.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use url::form_urlencoded;

use super::query::LIST;
use crate::store::devices::Device;
use crate::web::format::When;

/// Something to be shown of each device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Serial,
    Online,
    Model,
    Class,
    Version,
    Site,
    Tags,
    Identity,
    Address,
    LastInform,
    Events,
    Work,
    FirstInform,
    LastBoot,
    LastBootstrap,
    Refreshed,
    Arch,
    Hardware,
    Manufacturer,
    Oui,
    Auth,
    Code,
    Customer,
    Quarantined,
}

impl Column {
    /// In the order in which they are offered.
    pub(super) const ALL: [Self; 24] = [
        Self::Serial,
        Self::Online,
        Self::Model,
        Self::Class,
        Self::Version,
        Self::Site,
        Self::Tags,
        Self::Identity,
        Self::Address,
        Self::LastInform,
        Self::Events,
        Self::Work,
        Self::FirstInform,
        Self::LastBoot,
        Self::LastBootstrap,
        Self::Refreshed,
        Self::Arch,
        Self::Hardware,
        Self::Manufacturer,
        Self::Oui,
        Self::Auth,
        Self::Code,
        Self::Customer,
        Self::Quarantined,
    ];

    /// Those that are shown where nobody chose.
    pub(super) const USUAL: [Self; 8] = [
        Self::Serial,
        Self::Online,
        Self::Model,
        Self::Version,
        Self::Site,
        Self::Tags,
        Self::Address,
        Self::LastInform,
    ];

    /// The name that selectors, addresses and saved views have for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Online => "online",
            Self::Model => "model",
            Self::Class => "class",
            Self::Version => "version",
            Self::Site => "site",
            Self::Tags => "tags",
            Self::Identity => "identity",
            Self::Address => "address",
            Self::LastInform => "last_inform",
            Self::Events => "events",
            Self::Work => "work",
            Self::FirstInform => "first_inform",
            Self::LastBoot => "last_boot",
            Self::LastBootstrap => "last_bootstrap",
            Self::Refreshed => "refreshed",
            Self::Arch => "arch",
            Self::Hardware => "hardware",
            Self::Manufacturer => "manufacturer",
            Self::Oui => "oui",
            Self::Auth => "auth",
            Self::Code => "code",
            Self::Customer => "customer",
            Self::Quarantined => "quarantined",
        }
    }

    /// As it stands above the column.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Serial => "Serial",
            Self::Online => "State",
            Self::Model => "Model",
            Self::Class => "Product class",
            Self::Version => "Version",
            Self::Site => "Site",
            Self::Tags => "Tags",
            Self::Identity => "Identity",
            Self::Address => "Address",
            Self::LastInform => "Last inform",
            Self::Events => "Last events",
            Self::Work => "Open work",
            Self::FirstInform => "First inform",
            Self::LastBoot => "Last boot",
            Self::LastBootstrap => "Last bootstrap",
            Self::Refreshed => "Data model read",
            Self::Arch => "Architecture",
            Self::Hardware => "Hardware",
            Self::Manufacturer => "Manufacturer",
            Self::Oui => "OUI",
            Self::Auth => "Authenticated by",
            Self::Code => "Provisioning code",
            Self::Customer => "Customer",
            Self::Quarantined => "In quarantine",
        }
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.word() == word)
    }

    fn value(self, device: &Device, online_since: DateTime<Utc>) -> Value<'_> {
        let text = |text: &Option<String>| Value::Text(text.clone().unwrap_or_default().into());
        match self {
            Self::Serial => Value::Sign(device.serial.as_str().into()),
            Self::Online => Value::Online(device.last_inform >= online_since),
            Self::Model => Value::Text(model(device).into()),
            Self::Class => Value::Text(device.product_class.as_str().into()),
            Self::Version => text(&device.software_version),
            Self::Site => Value::Site(device.site.as_deref()),
            Self::Tags => Value::Tags(&device.tags),
            Self::Identity => text(&device.identity),
            Self::Address => Value::Sign(device.remote_addr.addr().to_string().into()),
            Self::LastInform => Value::Time(Some(device.last_inform)),
            Self::Events => Value::Text(device.events.as_str().into()),
            Self::Work => Value::Due(device.next_due),
            Self::FirstInform => Value::Time(Some(device.first_inform)),
            Self::LastBoot => Value::Time(device.last_boot),
            Self::LastBootstrap => Value::Time(device.last_bootstrap),
            Self::Refreshed => Value::Time(device.refreshed_at),
            Self::Arch => text(&device.arch),
            Self::Hardware => text(&device.hardware_version),
            Self::Manufacturer => Value::Text(device.manufacturer.as_str().into()),
            Self::Oui => Value::Sign(device.oui.as_str().into()),
            Self::Auth => Value::Text(device.auth.as_str().into()),
            Self::Code => text(&device.provisioning_code),
            Self::Customer => text(&device.customer),
            Self::Quarantined => Value::Time(device.quarantined_at),
        }
    }

    /// What a file says of a device.
    pub(super) fn plain(self, device: &Device, online_since: DateTime<Utc>) -> String {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self.value(device, online_since) {
            Value::Text(text) | Value::Sign(text) => text.into_owned(),
            Value::Online(true) => "yes".to_owned(),
            Value::Online(false) => "no".to_owned(),
            Value::Site(site) => site.unwrap_or_default().to_owned(),
            Value::Tags(tags) => tags.join(" "),
            Value::Time(at) | Value::Due(at) => at.map(time).unwrap_or_default(),
        }
    }
}

/// What a column has of a device.
enum Value<'a> {
    Text(Cow<'a, str>),
    /// A name that is read sign by sign.
    Sign(Cow<'a, str>),
    Online(bool),
    Site(Option<&'a str>),
    Tags(&'a [String]),
    Time(Option<DateTime<Utc>>),
    /// When something is to be done; `None` = nothing is.
    Due(Option<DateTime<Utc>>),
}

/// A device on the page.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: String,
    serial: String,
    /// It came without being asked who it is.
    unauthenticated: bool,
    /// It asks to be enrolled again, and waits for somebody to allow it.
    asks: bool,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    label: &'static str,
    shown: Shown,
}

/// How a cell is shown.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Shown {
    /// The link to the device.
    Device,
    State {
        online: bool,
    },
    Text {
        text: String,
        mono: bool,
    },
    /// Each leads to the devices that have it.
    Links {
        links: Vec<Link>,
    },
    Time {
        at: When,
    },
    Nothing,
}

#[derive(Debug, Serialize)]
struct Link {
    label: String,
    href: String,
}

/// What decides how devices look at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: DateTime<Utc>,
    /// A device that informed since is online.
    pub(super) online_since: DateTime<Utc>,
    /// Devices are asked who they are.
    pub(super) authenticated: bool,
}

/// A device in these columns.
pub(super) fn row(device: &Device, columns: &[Column], moment: Moment) -> Row {
    let cell = |column: &Column| Cell {
        label: column.label(),
        shown: match column {
            Column::Serial => Shown::Device,
            other => shown(other.value(device, moment.online_since), moment.now),
        },
    };
    Row {
        id: device.device_id.to_string(),
        serial: device.serial.clone(),
        // Where nobody is asked, a banner says so once for all.
        unauthenticated: moment.authenticated && device.auth == "none",
        asks: device.reenrol_asked_at.is_some(),
        cells: columns.iter().map(cell).collect(),
    }
}

fn shown(value: Value<'_>, now: DateTime<Utc>) -> Shown {
    let text = |text: Cow<'_, str>, mono: bool| match text.is_empty() {
        true => Shown::Nothing,
        false => Shown::Text { text: text.into_owned(), mono },
    };
    let time = |at: DateTime<Utc>| Shown::Time { at: When::new(at, now) };
    let link = |label: &str, selector: String| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("q", &selector).finish();
        Link { label: label.to_owned(), href: format!("{LIST}?{query}") }
    };
    match value {
        Value::Text(plain) => text(plain, false),
        Value::Sign(sign) => text(sign, true),
        Value::Online(online) => Shown::State { online },
        Value::Site(None) => Shown::Nothing,
        Value::Site(Some(site)) => {
            Shown::Links { links: vec![link(site, format!("site under {site}"))] }
        }
        Value::Tags([]) => Shown::Nothing,
        Value::Tags(tags) => {
            let links = tags.iter().map(|tag| link(tag, format!("tag = \"{tag}\"")));
            Shown::Links { links: links.collect() }
        }
        Value::Time(at) => at.map_or(Shown::Nothing, time),
        // Work that is overdue is due now: how long it waits is no one's question here.
        Value::Due(at) => at.map_or(Shown::Nothing, |at| time(at.max(now))),
    }
}

/// The product class, with the model where it says more.
pub(in crate::web) fn model(device: &Device) -> String {
    match &device.model {
        Some(model) if *model != device.product_class && !model.is_empty() => {
            format!("{} ({model})", device.product_class)
        }
        _ => device.product_class.clone(),
    }
}
