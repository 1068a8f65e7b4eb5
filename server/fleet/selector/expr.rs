//! What a selector says once it is read: typed, so that neither the evaluator nor the SQL has to
//! look at text again.
//!
//! Tests are positive only: `!=` is [`Expr::Not`] of `=`.

use chrono::TimeDelta;
use ipnet::IpNet;
use muster_routeros::version::RosVersion;
use uuid::Uuid;

use super::glob::Glob;
use super::value::{Number, ParameterPath};
use crate::fleet::site::SitePath;

/// A selector, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// All of them hold; of none: always.
    All(Vec<Expr>),
    /// One of them holds; of none: never.
    Any(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A comparison.
    Test(Test),
}

impl Expr {
    /// Both hold: how a scope is put around what somebody asks for.
    pub fn and(self, other: Self) -> Self {
        Self::All(vec![self, other])
    }

    /// It does not hold.
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// One part stands for itself.
    pub(super) fn all(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { Self::All(parts) }
    }

    /// One part stands for itself.
    pub(super) fn any(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { Self::Any(parts) }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A fact that is text.
    Text(TextField, TextTest),
    /// The software version.
    Version(VersionTest),
    /// The address it last came from lies in one of these networks.
    Address(Vec<IpNet>),
    /// Where it stands.
    Site(SiteTest),
    /// One of its tags.
    Tag(TextTest),
    /// One of the events of its last inform.
    Event(TextTest),
    /// It is a static member of this group.
    Member(Uuid),
    /// A yes or no.
    Flag(Flag),
    /// A time.
    Time(TimeField, TimeTest),
    /// A parameter of its data model.
    Parameter(ParameterPath, ParameterTest),
}

/// The facts that are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// Serial number.
    Serial,
    /// OUI, six hex digits in upper case.
    Oui,
    /// Manufacturer.
    Manufacturer,
    /// ProductClass.
    Class,
    /// Model name of the data model.
    Model,
    /// RouterOS architecture.
    Arch,
    /// RouterOS system identity.
    Identity,
    /// Hardware version.
    Hardware,
    /// Provisioning code.
    Code,
    /// How its last session was authenticated.
    Auth,
    /// The customer's number.
    Customer,
}

/// What is asked of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    /// It is there and not empty.
    Known,
    /// It is exactly one of these.
    OneOf(Vec<String>),
    /// It matches.
    Like(Glob),
}

/// Which side of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Order {
    /// Whether `left` stands so to `right`.
    pub fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// As it is written, here and in SQL.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// What is asked of the software version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionTest {
    /// It is there.
    Known,
    /// It is one of these.
    OneOf(Vec<VersionValue>),
    /// It stands so to this one in RouterOS's order; of a version that is not RouterOS's: never.
    Compare(Order, RosVersion),
    /// Its text matches.
    Like(Glob),
}

/// A version that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionValue {
    /// RouterOS's, however the device writes it.
    RouterOs(RosVersion),
    /// Another vendor's, by its exact text.
    Other(String),
}

/// What is asked of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteTest {
    /// It has one.
    Known,
    /// It is exactly one of these.
    OneOf(Vec<SitePath>),
    /// It is this one or below it.
    Under(SitePath),
    /// Its path as text matches.
    Like(Glob),
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// It informed lately enough.
    Online,
    /// It came with a credential or certificate of its own.
    Enrolled,
    /// It waits to be let in.
    Quarantined,
}

/// The times that are known of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeField {
    /// First inform.
    FirstInform,
    /// Last inform.
    LastInform,
    /// Last `1 BOOT`.
    LastBoot,
    /// Last `0 BOOTSTRAP`.
    LastBootstrap,
    /// When its whole data model was last read.
    Refreshed,
}

/// What is asked of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeTest {
    /// It ever was.
    Known,
    /// It is longer ago than this.
    Older(TimeDelta),
    /// It is this long ago, or less.
    Newer(TimeDelta),
}

/// What is asked of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterTest {
    /// The device has it, be it empty.
    Known,
    /// Its value is exactly one of these.
    OneOf(Vec<String>),
    /// Its value matches.
    Like(Glob),
    /// Its value is a number and stands so to this one.
    Compare(Order, Number),
}
