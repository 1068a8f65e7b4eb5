//! The fields of a device that a selector can name, what each takes, and which one was meant.
//!
//! The one table of fields: the parser, its messages, completion and documentation read it.

use super::expr::{Flag, TextField, TimeField};

/// A field, for whoever completes or documents selectors.
#[derive(Debug)]
pub struct FieldInfo {
    /// As it is written.
    pub name: &'static str,
    /// Other names that are understood too.
    pub aliases: &'static [&'static str],
    /// The operators that it takes.
    pub operators: &'static [&'static str],
    /// What it is compared with, in words.
    pub takes: &'static str,
    /// A comparison with it.
    pub example: &'static str,
    /// The values it can have, where they are few and fixed.
    pub values: &'static [&'static str],
    pub(super) field: Field,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Text(TextField),
    Version,
    Address,
    Site,
    Tag,
    Event,
    Group,
    Flag(Flag),
    Time(TimeField),
}

const TEXT: &[&str] = &["=", "!=", "~", "!~", "in", "not in"];
const SITE: &[&str] = &["=", "!=", "~", "!~", "in", "not in", "under"];
const SET: &[&str] = &["=", "!=", "in", "not in"];
const FLAG: &[&str] = &["=", "!="];
const TIME: &[&str] = &["older", "newer"];
/// Of values that have an order.
pub(super) const ORDERED: &[&str] = &["=", "!=", "~", "!~", "in", "not in", "<", "<=", ">", ">="];

/// Values of `auth`.
const AUTH: &[&str] = &["none", "enrolment", "claim", "device", "certificate"];

const fn info(
    name: &'static str,
    field: Field,
    operators: &'static [&'static str],
    takes: &'static str,
    example: &'static str,
) -> FieldInfo {
    FieldInfo { name, aliases: &[], operators, takes, example, values: &[], field }
}

const fn text(
    name: &'static str,
    field: TextField,
    takes: &'static str,
    example: &'static str,
) -> FieldInfo {
    info(name, Field::Text(field), TEXT, takes, example)
}

const fn time(name: &'static str, field: TimeField, example: &'static str) -> FieldInfo {
    info(name, Field::Time(field), TIME, "a duration in s, m, h, d or w", example)
}

const fn flag(name: &'static str, flag: Flag, example: &'static str) -> FieldInfo {
    let info = info(name, Field::Flag(flag), FLAG, "nothing, or yes or no", example);
    FieldInfo { values: &["yes", "no"], ..info }
}

const fn also(aliases: &'static [&'static str], info: FieldInfo) -> FieldInfo {
    FieldInfo { aliases, ..info }
}

/// All fields, the most used first.
pub static FIELDS: [FieldInfo; 25] = [
    text("serial", TextField::Serial, "a serial number", "serial = HGF09ABCDE1"),
    text("model", TextField::Model, "a model's name or a pattern", "model ~ \"hAP*\""),
    also(
        &["software_version"],
        info("version", Field::Version, ORDERED, "a version of RouterOS", "version < 7.16"),
    ),
    info("site", Field::Site, SITE, "a site's path", "site under eu.lv"),
    also(&["tags"], info("tag", Field::Tag, TEXT, "a tag", "tag = pilot")),
    info("group", Field::Group, SET, "a group's name", "group = \"first wave\""),
    also(
        &["product_class"],
        text("class", TextField::Class, "a ProductClass", "class = \"hAP ac\""),
    ),
    text("arch", TextField::Arch, "a RouterOS architecture", "arch in (arm, arm64)"),
    text(
        "identity",
        TextField::Identity,
        "a system identity or a pattern",
        "identity ~ \"tower7-*\"",
    ),
    also(
        &["customer_ref"],
        text(
            "customer",
            TextField::Customer,
            "a customer's number or a pattern",
            "customer = 4711",
        ),
    ),
    flag("online", Flag::Online, "not online"),
    flag("enrolled", Flag::Enrolled, "not enrolled"),
    flag("quarantined", Flag::Quarantined, "quarantined"),
    time("last_inform", TimeField::LastInform, "last_inform older 2d"),
    time("first_inform", TimeField::FirstInform, "first_inform newer 1w"),
    time("last_boot", TimeField::LastBoot, "last_boot newer 1h"),
    time("last_bootstrap", TimeField::LastBootstrap, "last_bootstrap newer 1d"),
    time("refreshed", TimeField::Refreshed, "refreshed older 30d"),
    info("event", Field::Event, TEXT, "an event of the last inform", "event = boot"),
    also(
        &["ip"],
        info("address", Field::Address, SET, "an address or a network", "address in 10.0.0.0/8"),
    ),
    FieldInfo {
        values: AUTH,
        ..text(
            "auth",
            TextField::Auth,
            "none, enrolment, claim, device or certificate",
            "auth = device",
        )
    },
    text("manufacturer", TextField::Manufacturer, "a manufacturer", "manufacturer = MikroTik"),
    text("oui", TextField::Oui, "six hex digits", "oui = E48D8C"),
    also(
        &["hardware_version"],
        text(
            "hardware",
            TextField::Hardware,
            "a hardware version or a pattern",
            "hardware ~ \"r2*\"",
        ),
    ),
    also(
        &["provisioning_code"],
        text("code", TextField::Code, "a provisioning code or a pattern", "code = gold"),
    ),
];

/// The field of this name, in any case of letters.
pub(super) fn find(name: &str) -> Option<&'static FieldInfo> {
    let named = |text: &&str| text.eq_ignore_ascii_case(name);
    FIELDS.iter().find(|f| named(&f.name) || f.aliases.iter().any(named))
}

/// The name that was probably meant.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let names =
        FIELDS.iter().flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()));
    nearest(name, names)
}

/// The candidate that differs least from the text, if it differs little.
pub(super) fn nearest(
    text: &str,
    candidates: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let little = (text.len() / 3).clamp(1, 3);
    candidates
        // The distance cannot be less than what the lengths differ by.
        .filter(|c| c.len().abs_diff(text.len()) <= little)
        .map(|c| (strsim::osa_distance(c, &text), c))
        .filter(|(distance, _)| *distance <= little)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
