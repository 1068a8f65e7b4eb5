#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::*;

const OPERATORS: [&str; 13] =
    ["=", "!=", "~", "!~", "<", "<=", ">", ">=", "in", "not in", "under", "older", "newer"];

fn read(text: &str) -> Expr {
    parse(text, &|_| None).unwrap_or_else(|e| panic!("{e}"))
}

fn fault(text: &str) -> SelectorError {
    parse(text, &|_| None).unwrap_err()
}

fn model(name: &str) -> Expr {
    Expr::Test(Test::Text(TextField::Model, TextTest::OneOf(vec![name.to_owned()])))
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn view() -> View {
    View {
        serial: "HGF09ABCDE1".into(),
        oui: "E48D8C".into(),
        manufacturer: "MikroTik".into(),
        product_class: "hAP ac^2".into(),
        model: Some("hAP ac^2".into()),
        arch: Some("arm".into()),
        identity: None,
        hardware_version: Some(String::new()),
        software_version: Some("7.15.3 (stable)".into()),
        provisioning_code: None,
        auth: "device".into(),
        customer: Some("K-4711".into()),
        quarantined: false,
        events: vec!["2 PERIODIC".into(), "M Download".into()],
        address: "10.1.2.3".parse().unwrap(),
        site: Some("eu.lv.riga".parse().unwrap()),
        tags: vec!["pilot".into()],
        groups: BTreeSet::from([Uuid::from_u128(1)]),
        online: false,
        first_inform: now() - TimeDelta::days(9),
        last_inform: now() - TimeDelta::days(3),
        last_boot: Some(now() - TimeDelta::hours(80)),
        last_bootstrap: None,
        refreshed_at: None,
        parameters: BTreeMap::from(
            [
                ("Device.WiFi.SSID.1.SSID", "guest"),
                ("Device.WiFi.Radio.1.Channel", "11"),
                ("Device.DeviceInfo.UpTime", "86400"),
                ("Device.X_A.Empty", ""),
            ]
            .map(|(n, v)| (n.to_owned(), v.to_owned())),
        ),
    }
}

#[test]
fn and_binds_stronger_than_or_and_not_stronger_than_both() {
    let [a, b, c] = ["a", "b", "c"].map(model);
    assert_eq!(
        read("model = a or not model = b and model = c"),
        Expr::Any(vec![a.clone(), Expr::All(vec![b.clone().negated(), c.clone()])])
    );
    assert_eq!(
        read("NOT (model=a OR (model='b')) And model = \"c\""),
        Expr::All(vec![Expr::Any(vec![a, b]).negated(), c])
    );
}

#[test]
fn values_need_quotes_only_where_they_could_be_misread() {
    for (text, value) in [
        ("model = hAP-ac.2/x:1", "hAP-ac.2/x:1"),
        ("model = \"a \\\" \\\\ \\* 'b'\"", "a \" \\ \\* 'b'"),
        ("model = 'say \"x\"'", "say \"x\""),
        ("model = Šķūnis²", "Šķūnis²"),
        ("model = \"and\"", "and"),
        ("model = under", "under"),
        ("model = \"\"", ""),
        ("\n model\t=\n x ", "x"),
    ] {
        assert_eq!(read(text), model(value), "{text}");
    }
}

#[test]
fn the_selector_of_the_design_is_read_and_understood() {
    let text =
        "model ~ \"hAP*\" and version < 7.16 and site under eu.lv and tag = pilot and not online";
    let expr = read(text);
    assert!(evaluate(&expr, &view(), now()));
    let newer = View { software_version: Some("7.16".into()), ..view() };
    assert!(!evaluate(&expr, &newer, now()));
}

#[test]
fn each_field_takes_its_operators_and_no_others() {
    let groups = |_: &str| Some(GroupMeaning::Members(Uuid::nil()));
    let mut names = BTreeSet::new();
    for info in &FIELDS {
        parse(info.example, &groups).unwrap_or_else(|e| panic!("{e}"));
        let value = match info.name {
            "version" => "7.16",
            "oui" => "e4:8d:8c",
            "address" => "10.0.0.1",
            "auth" => "device",
            "online" | "enrolled" | "quarantined" => "no",
            _ if info.operators == ["older", "newer"] => "1d",
            _ => "x",
        };
        for operator in OPERATORS {
            let taken = parse(&format!("{} {operator} {value}", info.name), &groups).is_ok();
            assert_eq!(taken, info.operators.contains(&operator), "{} {operator}", info.name);
        }
        for name in std::iter::once(&info.name).chain(info.aliases) {
            assert!(names.insert(*name), "{name} is named twice");
        }
    }
}

#[test]
fn errors_show_the_place_and_what_would_be_right() {
    for (text, message) in [
        (
            "modle ~ \"hAP*\" and online",
            "there is no field `modle`\n  modle ~ \"hAP*\" and online\n  ^^^^^\ndid you mean `model`?",
        ),
        (
            "online\nand version == 7.16",
            "there is no operator `==`\n  and version == 7.16\n              ^^\nwrite `=`",
        ),
        (
            "tag = Šķūnis && online",
            "`&` is no word of selectors\n  tag = Šķūnis && online\n               ^\nwrite `and`",
        ),
        (
            "auth = devise",
            "`devise` is not a value of `auth`\n  auth = devise\n         ^^^^^^\ndid you mean `device`?",
        ),
        (
            "tag = and model = x",
            "expected a value, not `and`\n  tag = and model = x\n        ^^^\n\
             as a value it stands in quotes: \"and\"",
        ),
        ("(online", "this `(` is never closed\n  (online\n  ^"),
        ("online)", "this `)` closes nothing\n  online)\n        ^"),
        (
            "model = \"x",
            "this quote is never closed\n  model = \"x\n          ^\nend the value with \"",
        ),
        (
            "model = hAP ac",
            "expected `and`, `or` or the end\n  model = hAP ac\n              ^^\n\
             a value with blanks or signs stands in quotes: model = \"hAP ac^2\"",
        ),
    ] {
        assert_eq!(fault(text).to_string(), message);
    }
}

#[test]
fn errors_say_what_a_field_takes() {
    for (text, message, part, hint) in [
        ("last_inform < 2d", "`<` does not go with `last_inform`", "<", "last_inform older 2d"),
        ("last_inform older 2", "`2` is not a value", "2", "a duration in s, m, h, d or w"),
        ("version < latest", "`latest` is not a value", "latest", "a version of RouterOS"),
        ("address = 10.0.0", "`10.0.0` is not a value", "10.0.0", "address in 10.0.0.0/8"),
        ("model", "", "", ""),
        ("model hAP", "expected an operator after `model`", "hAP", "after  =  !=  ~"),
        ("site under eu..lv", "`eu..lv` is no site's path", "eu..lv", ""),
        ("group = none", "there is no group `none`", "none", ""),
        ("group", "`group` cannot stand alone", "group", "a group's name"),
        ("and online", "expected a field", "and", "fields are serial, model"),
        ("!online", "expected a field", "!", "write `not`"),
        ("online and", "expected a field", "", "fields are serial"),
        ("serial in (a b)", "expected `,` or `)`", "b", ""),
        ("serial in (a, b", "this `(` is never closed", "(", ""),
        ("serial not (a)", "expected `in` after `not`", "(", ""),
        ("param(Device.A. ) = x", "this names an object", "Device.A.", ""),
        ("param(Device.A.*) = x", "a path names one parameter", "Device.A.*", ""),
        ("Device.A < b", "`b` is not a number", "b", "< compares numbers"),
        ("param = x", "expected `(` after `param`", "=", "param(\"Device."),
        (
            "Device.ManagementServer.Password = x",
            "is a secret",
            "Device.ManagementServer.Password",
            "has",
        ),
        ("", "the selector is empty", "", "write for example"),
        ("online \0", "NUL", "\0", ""),
    ] {
        if message.is_empty() {
            read(text);
            continue;
        }
        let error = fault(text);
        assert!(error.message.contains(message), "{text}: {}", error.message);
        assert_eq!(&error.text[error.span.clone()], part, "{text}: {error}");
        let suggestion = error.suggestion.unwrap_or_default();
        assert!(suggestion.contains(hint), "{text}: {suggestion}");
    }
}

#[test]
fn a_missing_value_fails_each_comparison_and_passes_its_negation() {
    for (text, holds) in [
        ("identity = x", false),
        ("identity != x", true),
        ("identity ~ *", false),
        ("identity !~ *", true),
        ("identity not in (x, y)", true),
        ("identity", false),
        ("hardware", false),
        ("hardware = \"\"", true),
        ("not last_bootstrap older 1s", true),
        ("last_bootstrap newer 1w or last_bootstrap older 1w", false),
        ("Device.No.Such != 1", true),
        ("Device.No.Such < 1 or Device.No.Such >= 1", false),
        ("Device.X_A.Empty", true),
        ("Device.WiFi.SSID.1.SSID < 5", false),
    ] {
        assert_eq!(evaluate(&read(text), &view(), now()), holds, "{text}");
    }
}

#[test]
fn comparisons_mean_what_they_say() {
    for (text, holds) in [
        ("version = 7.15.3 and version > 7.9 and version < 7.16rc1", true),
        ("version in (7.14, 7.15.3)", true),
        ("version ~ \"7.15*\"", true),
        ("oui = e4:8d:8c", true),
        ("address in 10.0.0.0/8 and address = 10.1.2.3", true),
        ("address in (192.0.2.1, 2001:db8::/32)", false),
        ("site under eu and site under eu.lv.riga and not site under eu.lv.rig", true),
        ("site = eu.lv", false),
        ("event = periodic and event = 2 and event = download and event != boot", true),
        ("event ~ \"m *\"", true),
        ("tag in (x, pilot) and tag ~ PIL*", true),
        ("last_inform older 2d and last_inform newer 1w", true),
        ("last_inform newer 3d and not last_inform older 3d", true),
        ("enrolled and online = no and not online = yes", true),
        ("customer = K-4711 and customer_ref ~ k-* and not quarantined", true),
        ("quarantined = yes or customer = k-4711", false),
        ("Device.WiFi.Radio.1.Channel >= 11 and Device.WiFi.Radio.1.Channel < 100", true),
        ("param(\"Device.DeviceInfo.UpTime\") > 3600.5", true),
        ("model ~ HAP* and model != \"hap ac^2\"", true),
    ] {
        assert_eq!(evaluate(&read(text), &view(), now()), holds, "{text}");
    }
}

#[test]
fn a_group_is_its_list_or_its_selector_and_never_itself() {
    let groups = |name: &str| match name {
        "listed" => Some(GroupMeaning::Members(Uuid::from_u128(1))),
        "first wave" => Some(GroupMeaning::Selector("tag = pilot and group = listed".into())),
        "a" => Some(GroupMeaning::Selector("online or group = b".into())),
        "b" => Some(GroupMeaning::Selector("group in (listed, a)".into())),
        "broken" => Some(GroupMeaning::Selector("modle = x".into())),
        name => {
            name.parse::<u32>().ok().map(|n| GroupMeaning::Selector(format!("group = {}", n + 1)))
        }
    };
    let expr = parse("group = \"first wave\"", &groups).unwrap();
    assert!(evaluate(&expr, &view(), now()));
    let outside = View { groups: BTreeSet::new(), ..view() };
    assert!(!evaluate(&expr, &outside, now()));
    for (text, message, part) in [
        (
            "online or group = a",
            "in group `a`: in group `b`: the group stands for itself: a > b > a",
            "a",
        ),
        ("group = broken", "in group `broken`: there is no field `modle`", "broken"),
        ("group = 1", "nest at most 20 deep", "1"),
    ] {
        let error = parse(text, &groups).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert_eq!(&text[error.span], part);
    }
}

#[test]
fn what_a_selector_may_cost_is_bounded() {
    let many = |n: usize| vec!["online"; n].join(" and ");
    assert!(parse(&many(MAX_COMPARISONS), &|_| None).is_ok());
    assert!(fault(&many(MAX_COMPARISONS + 1)).message.contains("at most 100 comparisons"));
    let deep = |n: usize| format!("{}online{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&deep(MAX_DEPTH), &|_| None).is_ok());
    assert!(fault(&deep(MAX_DEPTH + 1)).message.contains("nest at most 20 deep"));
    assert!(fault(&"not ".repeat(1_000)).message.contains("nest at most 20 deep"));
    let long = |n: usize| format!("model = {}", "x".repeat(n - "model = ".len()));
    assert!(parse(&long(MAX_TEXT), &|_| None).is_ok());
    assert!(fault(&long(MAX_TEXT + 1)).message.contains("too long"));
    // Each group names the next one ten times: ten to the tenth comparisons.
    let bomb = |name: &str| {
        let next = name.parse::<u32>().ok()? + 1;
        let text = format!("group = {next} or ").repeat(9) + &format!("group = {next}");
        Some(GroupMeaning::Selector(if next > 10 { "online".to_owned() } else { text }))
    };
    assert!(parse("group = 1", &bomb).unwrap_err().message.contains("too long"));
}

#[test]
fn an_indexed_field_stands_bare_in_the_sql() {
    let mut q = QueryBuilder::<Postgres>::new("");
    let text = "serial = A and version < 7.16 and site under eu.lv and tag = t and not online";
    push_where(&mut q, &read(text), now(), now());
    assert_eq!(
        q.into_string(),
        "((f.serial = $1) and (f.version_key < $2) and (f.site <@ $3::ltree) and (f.tags && $4) \
         and ((d.last_inform >= $5) is not true))"
    );
}

#[test]
fn any_value_can_be_said_in_quotes() {
    assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    for name in ["HEX0123", "first wave", "a \"b\"", "c\\", "not or and", "hAP ac²"] {
        let expr = read(&format!("model = {} and model = {}", quoted(name), quoted(name)));
        assert_eq!(expr, model(name).and(model(name)), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(
        text in "\\PC{0,40}",
        words in prop::collection::vec(prop::sample::select(vec![
            "not", "and", "or", "(", ")", "model", "version", "online", "group", "param", "in",
            "=", "!=", "~", "<", ",", "\"", "\\", "'", "7.16", "x", "š", "Device.A", "\n", "under",
        ]), 0..20),
    ) {
        for text in [text, words.join(" "), words.concat()] {
            if let Err(error) = parse(&text, &|name| Some(GroupMeaning::Selector(name.into()))) {
                prop_assert!(error.to_string().starts_with(&error.message));
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            }
        }
    }

    #[test]
    fn what_is_written_never_gets_into_the_sql(value in "[a-zA-Z0-9'\"\\\\%_;-]{12,20}") {
        let quoted = quoted(&value);
        for text in [
            format!("model = {quoted} or model in ({quoted}, x) or tag ~ {quoted}"),
            format!("event = {quoted} or version = {quoted} or site ~ {quoted}"),
            format!("param({quoted}) ~ {quoted} or Device.A != {quoted}"),
        ] {
            let Ok(expr) = parse(&text, &|_| None) else { continue };
            let mut q = QueryBuilder::<Postgres>::new("");
            push_where(&mut q, &expr, now(), now());
            prop_assert!(!q.into_string().contains(&value));
        }
    }
}
