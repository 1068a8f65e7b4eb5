use proptest::prelude::*;
use uuid::Uuid;

use super::super::{GroupMeaning, parse};
use super::*;

fn known() -> Known {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Known {
        sites: list(&["eu", "eu.lv", "us"]),
        tags: list(&["pilot", "spare"]),
        groups: list(&["first wave", "and", "say \"x\\y\""]),
        models: list(&["hAP ac^2", "hAP-lite", "RB5009"]),
        classes: list(&["hAP"]),
        versions: list(&["7.15.3 (stable)", "7.16"]),
    }
}

/// What is offered at the `|`.
fn offers(text: &str) -> Vec<Suggestion> {
    let cursor = text.find('|').unwrap_or(text.len());
    complete(&text.replacen('|', "", 1), cursor, &known())
}

fn labels(text: &str) -> Vec<String> {
    offers(text).into_iter().map(|offer| offer.label).collect()
}

#[test]
fn what_can_come_next_is_offered() {
    let all = labels("");
    assert_eq!(all.len(), FIELDS.len() + 3);
    let cases: &[(&str, &[&str])] = &[
        ("mod|", &["model"]),
        ("LAST_", &["last_inform", "last_boot", "last_bootstrap"]),
        ("online and no|line", &["not"]),
        ("last_inform ", &["older", "newer", "and", "or"]),
        ("group ", &["=", "!=", "in", "not in"]),
        ("(online", &["online"]),
        ("(online ", &["=", "!=", "and", "or", ")"]),
        ("version <", &["<", "<="]),
        ("version not", &["not in"]),
        ("version not ", &["in"]),
        ("version < 7.1", &["7.15.3", "7.16"]),
        ("model = h", &["hAP ac^2", "hAP-lite"]),
        ("model = \"hap ", &["hAP ac^2"]),
        ("site under e", &["eu", "eu.lv"]),
        ("tag in ", &["(", "pilot", "spare"]),
        ("tag in (pilot, s", &["spare"]),
        ("tag in (pilot ", &[",", ")"]),
        ("tag in (pilot) ", &["and", "or"]),
        ("auth = ", &["none", "enrolment", "claim", "device", "certificate"]),
        ("not enrolled = ", &["yes", "no"]),
        ("last_boot older 1", &["15m", "1h", "12h", "1d"]),
        (
            "event = m",
            &[
                "M Reboot",
                "M ScheduleInform",
                "M Download",
                "M ScheduleDownload",
                "M Upload",
                "M ChangeDUState",
            ],
        ),
        ("model = \"x\" o", &["or"]),
        ("param", &["param(\""]),
        ("param(\"Device.A\"", &[")"]),
        ("Device.A ~", &["~"]),
    ];
    for (text, expected) in cases {
        assert_eq!(labels(text), *expected, "{text}");
    }
    for nothing in ["modle ", "serial = ", "online)", "tag = pilot &", "model = x y", "param(\""] {
        assert_eq!(labels(nothing), [""; 0], "{nothing}");
    }
    assert_eq!(labels(&"x".repeat(MAX_TEXT + 1)), [""; 0]);
}

#[test]
fn an_offer_is_written_so_that_it_can_be_read() {
    for (text, label, insert) in [
        ("mo|", "model", "model "),
        ("online and mo|x", "model", "online and model "),
        ("model=", "=", "model= "),
        ("model = h", "hAP ac^2", "model = \"hAP ac^2\" "),
        ("model = \"h", "hAP-lite", "model = hAP-lite "),
        ("group = ", "and", "group = \"and\" "),
        ("group = 's", "say \"x\\y\"", "group = \"say \\\"x\\\\y\\\"\" "),
        ("tag in", "in", "tag in "),
        ("tag in (\"pilot\"", ")", "tag in (\"pilot\") "),
        ("tag in (pilot ", ",", "tag in (pilot, "),
        ("tag in (pilot,", "spare", "tag in (pilot, spare "),
        ("not ", "(", "not ("),
        ("(online)", "and", "(online) and "),
    ] {
        let offers = offers(text);
        let offer = offers.iter().find(|offer| offer.label == label);
        assert_eq!(offer.map(|offer| offer.insert.as_str()), Some(insert), "{text}");
    }
}

#[test]
fn values_are_asked_for_where_they_are_wanted() {
    let wanted = |text: &str| wanted(text, text.len()).map(|w| (w.source, w.prefix));
    assert_eq!(wanted("site under eu."), Some((Source::Sites, "eu.".to_owned())));
    assert_eq!(wanted("tag not in (a, 'b c"), Some((Source::Tags, "b c".to_owned())));
    assert_eq!(wanted("class = "), Some((Source::Classes, String::new())));
    for text in ["", "si", "site ", "serial = x", "Device.A = ", "online = ", "site = eu "] {
        assert_eq!(wanted(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn whoever_takes_what_is_offered_writes_a_selector(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..19),
    ) {
        // After these only the writer knows what comes.
        let free = [
            "serial", "identity", "address", "arch", "manufacturer", "oui", "hardware", "code",
            "customer",
            "param(\"",
        ];
        let mut text = String::new();
        for pick in picks {
            let mut offers = complete(&text, text.len(), &known());
            offers.retain(|offer| !free.contains(&offer.label.as_str()));
            prop_assert!(!offers.is_empty(), "{}", text);
            text = offers.swap_remove(pick.index(offers.len())).insert;
            let next = complete(&text, text.len(), &known());
            let offered = |label: &str| {
                next.iter().any(|offer| offer.kind == Kind::Keyword && offer.label == label)
            };
            if offered("and") && !offered(")") {
                let read = parse(&text, &|_| Some(GroupMeaning::Members(Uuid::nil())));
                prop_assert!(read.is_ok(), "{}", text);
            }
        }
    }

    #[test]
    fn no_text_breaks_it(
        text in "\\PC{0,20}",
        words in prop::collection::vec(prop::sample::select(vec![
            "not", "and", "(", ")", "model", "param", "in", "=", "<", ",", "\"", "\\", "'", "š",
            " ", "x",
        ]), 0..12),
        cursor in 0usize..40,
    ) {
        for text in [text, words.concat()] {
            for offer in complete(&text, cursor, &known()) {
                prop_assert!(!offer.label.is_empty());
            }
            let _ = wanted(&text, cursor);
        }
    }
}
