//! From a field, an operator and values to a typed test, or to what is wrong with them.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use muster_routeros::version::RosVersion;

use super::error::Problem;
use super::expr::{
    Expr, Order, ParameterTest, SiteTest, Test, TextField, TextTest, TimeTest, VersionTest,
    VersionValue,
};
use super::field::{Field, FieldInfo, ORDERED, nearest};
use super::glob::Glob;
use super::token::Spanned;
use super::value::{Number, ParameterPath, duration};
use crate::fleet::secret::is_secret;
use crate::fleet::site::SitePath;

/// What is compared.
pub(super) struct Subject {
    pub what: What,
    /// As it is written.
    pub span: Range<usize>,
}

/// A field or a parameter.
pub(super) enum What {
    Field(&'static FieldInfo),
    Parameter(ParameterPath),
}

/// How it is compared.
pub(super) struct Operator {
    pub verb: Verb,
    pub negated: bool,
    /// A list may follow.
    pub list: bool,
    /// As it is written.
    pub text: String,
    pub span: Range<usize>,
}

/// The comparison without its negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// `=` and `in`
    Is,
    /// `~`
    Like,
    Compare(Order),
    Under,
    Older,
    Newer,
}

impl Subject {
    pub fn name(&self) -> &str {
        match &self.what {
            What::Field(info) => info.name,
            What::Parameter(path) => path.as_str(),
        }
    }

    /// What may stand with it.
    pub fn hint(&self) -> String {
        let (takes, operators, example) = match &self.what {
            What::Field(info) => (info.takes, info.operators, info.example),
            What::Parameter(_) => {
                ("a text or a number", ORDERED, "param(\"Device.WiFi.SSID.1.SSID\") = \"guest\"")
            }
        };
        let operators = operators.join("  ");
        format!("{} takes {takes}, after  {operators}  (for example: {example})", self.name())
    }
}

/// A field or parameter that stands alone: whether it has a value.
pub(super) fn alone(subject: &Subject) -> Result<Expr, Problem> {
    let test = match &subject.what {
        What::Parameter(path) => Test::Parameter(path.clone(), ParameterTest::Known),
        What::Field(info) => match info.field {
            Field::Text(field) => Test::Text(field, TextTest::Known),
            Field::Version => Test::Version(VersionTest::Known),
            Field::Site => Test::Site(SiteTest::Known),
            Field::Tag => Test::Tag(TextTest::Known),
            Field::Event => Test::Event(TextTest::Known),
            Field::Flag(flag) => Test::Flag(flag),
            Field::Time(field) => Test::Time(field, TimeTest::Known),
            Field::Address | Field::Group => {
                let message = format!("`{}` cannot stand alone", info.name);
                return Err(Problem::new(subject.span.clone(), message).hint(subject.hint()));
            }
        },
    };
    Ok(Expr::Test(test))
}

/// A comparison of anything but a group, without the operator's negation. There is at least one
/// value.
pub(super) fn compare(
    subject: &Subject,
    operator: &Operator,
    values: &[Spanned<String>],
) -> Result<Expr, Problem> {
    let first = &values[0];
    let field = match &subject.what {
        What::Parameter(path) => return parameter(path, subject, operator, values),
        What::Field(info) => info.field,
    };
    let test = match (field, operator.verb) {
        (Field::Text(field), Verb::Is) => {
            Test::Text(field, TextTest::OneOf(each(values, |v| text(field, subject, v))?))
        }
        (Field::Text(field), Verb::Like) => Test::Text(field, TextTest::Like(glob(first))),
        (Field::Tag, Verb::Is) => Test::Tag(TextTest::OneOf(texts(values))),
        (Field::Tag, Verb::Like) => Test::Tag(TextTest::Like(glob(first))),
        (Field::Event, Verb::Is) => {
            Test::Event(TextTest::OneOf(values.iter().map(|v| event(&v.value)).collect()))
        }
        (Field::Event, Verb::Like) => Test::Event(TextTest::Like(glob(first))),
        (Field::Version, Verb::Is) => {
            Test::Version(VersionTest::OneOf(values.iter().map(version).collect()))
        }
        (Field::Version, Verb::Like) => Test::Version(VersionTest::Like(glob(first))),
        (Field::Version, Verb::Compare(order)) => {
            let version: RosVersion = first.value.parse().map_err(|_| misfit(subject, first))?;
            Test::Version(VersionTest::Compare(order, version))
        }
        (Field::Site, Verb::Is) => Test::Site(SiteTest::OneOf(each(values, site)?)),
        (Field::Site, Verb::Under) => Test::Site(SiteTest::Under(site(first)?)),
        (Field::Site, Verb::Like) => Test::Site(SiteTest::Like(glob(first))),
        (Field::Address, Verb::Is) => Test::Address(each(values, |v| network(subject, v))?),
        (Field::Time(field), Verb::Older | Verb::Newer) => {
            let span = duration(&first.value).ok_or_else(|| misfit(subject, first))?;
            let older = operator.verb == Verb::Older;
            let test = if older { TimeTest::Older(span) } else { TimeTest::Newer(span) };
            Test::Time(field, test)
        }
        (Field::Flag(flag), Verb::Is) if !operator.list => {
            let yes = yes_or_no(&first.value).ok_or_else(|| misfit(subject, first))?;
            let test = Expr::Test(Test::Flag(flag));
            return Ok(if yes { test } else { test.negated() });
        }
        _ => return Err(unfit(subject, operator)),
    };
    Ok(Expr::Test(test))
}

fn parameter(
    path: &ParameterPath,
    subject: &Subject,
    operator: &Operator,
    values: &[Spanned<String>],
) -> Result<Expr, Problem> {
    if is_secret(path.as_str()) {
        let message = format!("the value of `{}` is a secret and is not kept", path.as_str());
        let hint = "without a comparison it asks whether the device has this parameter";
        return Err(Problem::new(subject.span.clone(), message).hint(hint));
    }
    let test = match operator.verb {
        Verb::Is => ParameterTest::OneOf(texts(values)),
        Verb::Like => ParameterTest::Like(glob(&values[0])),
        Verb::Compare(order) => {
            let number = Number::new(&values[0].value).ok_or_else(|| {
                let message = format!("`{}` is not a number", values[0].value);
                Problem::new(values[0].span.clone(), message)
                    .hint(format!("{} compares numbers such as 5 or -71.5", operator.text))
            })?;
            ParameterTest::Compare(order, number)
        }
        Verb::Under | Verb::Older | Verb::Newer => return Err(unfit(subject, operator)),
    };
    Ok(Expr::Test(Test::Parameter(path.clone(), test)))
}

/// The operator is not one of the field's.
pub(super) fn unfit(subject: &Subject, operator: &Operator) -> Problem {
    let message = format!("`{}` does not go with `{}`", operator.text, subject.name());
    Problem::new(operator.span.clone(), message).hint(subject.hint())
}

/// The value is not one of the field's.
fn misfit(subject: &Subject, value: &Spanned<String>) -> Problem {
    let message = format!("`{}` is not a value of `{}`", value.value, subject.name());
    Problem::new(value.span.clone(), message).hint(subject.hint())
}

fn each<T>(
    values: &[Spanned<String>],
    read: impl Fn(&Spanned<String>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    values.iter().map(read).collect()
}

fn texts(values: &[Spanned<String>]) -> Vec<String> {
    values.iter().map(|v| v.value.clone()).collect()
}

fn glob(value: &Spanned<String>) -> Glob {
    Glob::new(&value.value)
}

fn text(field: TextField, subject: &Subject, value: &Spanned<String>) -> Result<String, Problem> {
    match (field, &subject.what) {
        (TextField::Auth, What::Field(info)) if !info.values.contains(&value.value.as_str()) => {
            let problem = misfit(subject, value);
            Err(match nearest(&value.value, info.values.iter().copied()) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None => problem,
            })
        }
        (TextField::Oui, _) => {
            // Kept as six digits in upper case, whatever a label or a device writes.
            let digits = value.value.replace([':', '-', '.'], "").to_ascii_uppercase();
            let hex = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if hex { Ok(digits) } else { Err(misfit(subject, value)) }
        }
        _ => Ok(value.value.clone()),
    }
}

fn version(value: &Spanned<String>) -> VersionValue {
    match value.value.parse() {
        Ok(version) => VersionValue::RouterOs(version),
        Err(_) => VersionValue::Other(value.value.clone()),
    }
}

fn site(value: &Spanned<String>) -> Result<SitePath, Problem> {
    value.value.parse().map_err(|why: String| Problem::new(value.span.clone(), why))
}

fn network(subject: &Subject, value: &Spanned<String>) -> Result<IpNet, Problem> {
    let text = value.value.as_str();
    let net = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse::<IpNet>().ok(),
    };
    net.map(|net| net.trunc()).ok_or_else(|| misfit(subject, value))
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// The events of TR-069 table 7, by which `boot` and `1` are `1 BOOT`.
pub(super) const EVENTS: [&str; 21] = [
    "0 BOOTSTRAP",
    "1 BOOT",
    "2 PERIODIC",
    "3 SCHEDULED",
    "4 VALUE CHANGE",
    "5 KICKED",
    "6 CONNECTION REQUEST",
    "7 TRANSFER COMPLETE",
    "8 DIAGNOSTICS COMPLETE",
    "9 REQUEST DOWNLOAD",
    "10 AUTONOMOUS TRANSFER COMPLETE",
    "11 DU STATE CHANGE COMPLETE",
    "12 AUTONOMOUS DU STATE CHANGE COMPLETE",
    "13 WAKEUP",
    "14 HEARTBEAT",
    "M Reboot",
    "M ScheduleInform",
    "M Download",
    "M ScheduleDownload",
    "M Upload",
    "M ChangeDUState",
];

/// An event's whole code by its number, its name or both; any other text is its own.
fn event(text: &str) -> String {
    let same = |part: &str| part.eq_ignore_ascii_case(text);
    let known = EVENTS.into_iter().find(|code| match code.split_once(' ') {
        // The M of methods is nobody's number.
        Some((number, name)) => same(code) || same(name) || (number != "M" && same(number)),
        None => false,
    });
    known.unwrap_or(text).to_owned()
}
