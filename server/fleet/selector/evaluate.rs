//! What a selector says of one device, without a database: the plain meaning that the SQL is held
//! to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use muster_routeros::version::RosVersion;
use uuid::Uuid;

use super::expr::{
    Expr, Flag, ParameterTest, SiteTest, Test, TextField, TextTest, TimeField, TimeTest,
    VersionTest, VersionValue,
};
use super::value::Number;
use crate::fleet::site::SitePath;

/// All that a selector can ask of a device.
#[derive(Debug, Clone)]
pub struct View {
    /// Serial number.
    pub serial: String,
    /// Six hex digits in upper case.
    pub oui: String,
    /// As sent.
    pub manufacturer: String,
    /// As sent.
    pub product_class: String,
    /// From the data model.
    pub model: Option<String>,
    /// RouterOS architecture.
    pub arch: Option<String>,
    /// RouterOS system identity.
    pub identity: Option<String>,
    /// From the data model.
    pub hardware_version: Option<String>,
    /// From the data model.
    pub software_version: Option<String>,
    /// From the data model.
    pub provisioning_code: Option<String>,
    /// none, enrolment, claim, device, certificate.
    pub auth: String,
    /// The customer's number.
    pub customer: Option<String>,
    /// It waits to be let in.
    pub quarantined: bool,
    /// Event codes of the last inform, none of them empty.
    pub events: Vec<String>,
    /// Where it last came from.
    pub address: IpAddr,
    /// Where it stands.
    pub site: Option<SitePath>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The groups that it was put into.
    pub groups: BTreeSet<Uuid>,
    /// It informed lately enough.
    pub online: bool,
    /// First inform.
    pub first_inform: DateTime<Utc>,
    /// Last inform.
    pub last_inform: DateTime<Utc>,
    /// Last `1 BOOT`.
    pub last_boot: Option<DateTime<Utc>>,
    /// Last `0 BOOTSTRAP`.
    pub last_bootstrap: Option<DateTime<Utc>>,
    /// When its whole data model was last read.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// Its parameters and counters by name.
    pub parameters: BTreeMap<String, String>,
}

/// Whether the selector finds this device at the time `now`.
pub fn evaluate(expr: &Expr, view: &View, now: DateTime<Utc>) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| evaluate(part, view, now)),
        Expr::Any(parts) => parts.iter().any(|part| evaluate(part, view, now)),
        Expr::Not(inner) => !evaluate(inner, view, now),
        Expr::Test(test) => holds(test, view, now),
    }
}

fn holds(test: &Test, view: &View, now: DateTime<Utc>) -> bool {
    match test {
        Test::Text(field, test) => fact(view, *field).is_some_and(|value| text(test, value)),
        Test::Version(test) => {
            view.software_version.as_deref().is_some_and(|value| version(test, value))
        }
        Test::Address(nets) => nets.iter().any(|net| net.contains(&view.address)),
        Test::Site(test) => view.site.as_ref().is_some_and(|site| stands(test, site)),
        Test::Tag(test) => one_of(test, &view.tags),
        Test::Event(test) => one_of(test, &view.events),
        Test::Member(group) => view.groups.contains(group),
        Test::Flag(Flag::Online) => view.online,
        Test::Flag(Flag::Enrolled) => matches!(view.auth.as_str(), "device" | "certificate"),
        Test::Flag(Flag::Quarantined) => view.quarantined,
        Test::Time(field, test) => time(view, *field).is_some_and(|at| match test {
            TimeTest::Known => true,
            TimeTest::Older(span) => at < now - *span,
            TimeTest::Newer(span) => at >= now - *span,
        }),
        Test::Parameter(path, test) => {
            view.parameters.get(path.as_str()).is_some_and(|value| parameter(test, value))
        }
    }
}

fn fact(view: &View, field: TextField) -> Option<&str> {
    match field {
        TextField::Serial => Some(&view.serial),
        TextField::Oui => Some(&view.oui),
        TextField::Manufacturer => Some(&view.manufacturer),
        TextField::Class => Some(&view.product_class),
        TextField::Model => view.model.as_deref(),
        TextField::Arch => view.arch.as_deref(),
        TextField::Identity => view.identity.as_deref(),
        TextField::Hardware => view.hardware_version.as_deref(),
        TextField::Code => view.provisioning_code.as_deref(),
        TextField::Auth => Some(&view.auth),
        TextField::Customer => view.customer.as_deref(),
    }
}

fn time(view: &View, field: TimeField) -> Option<DateTime<Utc>> {
    match field {
        TimeField::FirstInform => Some(view.first_inform),
        TimeField::LastInform => Some(view.last_inform),
        TimeField::LastBoot => view.last_boot,
        TimeField::LastBootstrap => view.last_bootstrap,
        TimeField::Refreshed => view.refreshed_at,
    }
}

fn text(test: &TextTest, value: &str) -> bool {
    match test {
        TextTest::Known => !value.is_empty(),
        TextTest::OneOf(wanted) => wanted.iter().any(|w| w == value),
        TextTest::Like(glob) => glob.matches(value),
    }
}

/// A list is known when there is something in it.
fn one_of(test: &TextTest, values: &[String]) -> bool {
    match test {
        TextTest::Known => !values.is_empty(),
        test => values.iter().any(|value| text(test, value)),
    }
}

fn version(test: &VersionTest, value: &str) -> bool {
    let version: Option<RosVersion> = value.parse().ok();
    match test {
        VersionTest::Known => !value.is_empty(),
        VersionTest::OneOf(wanted) => wanted.iter().any(|wanted| match wanted {
            VersionValue::RouterOs(wanted) => version == Some(*wanted),
            VersionValue::Other(text) => text == value,
        }),
        VersionTest::Compare(order, than) => version.is_some_and(|v| order.holds(&v, than)),
        VersionTest::Like(glob) => glob.matches(value),
    }
}

fn stands(test: &SiteTest, site: &SitePath) -> bool {
    match test {
        SiteTest::Known => true,
        SiteTest::OneOf(wanted) => wanted.contains(site),
        SiteTest::Under(top) => site.is_under(top),
        SiteTest::Like(glob) => glob.matches(site.as_str()),
    }
}

fn parameter(test: &ParameterTest, value: &str) -> bool {
    match test {
        ParameterTest::Known => true,
        ParameterTest::OneOf(wanted) => wanted.iter().any(|w| w == value),
        ParameterTest::Like(glob) => glob.matches(value),
        ParameterTest::Compare(order, than) => {
            Number::new(value).is_some_and(|number| order.holds(&number, than))
        }
    }
}
