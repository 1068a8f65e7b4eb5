//! Templates of the bench: what a board takes as its first script. Pure.
//!
//! Owns what is wrong with such a script that another might have: it is text of a plain kind, it waits
//! before it changes anything, it is over before the board ends it, and it fits.

use muster_netboot::payload::{MAX_SCRIPT, TOO_BIG, check_text};
use muster_routeros::lint::{Finding, Severity, lint_first};
use serde_json::Value;

use super::Values;

/// Bytes that a board takes.
pub const ROOM: usize = MAX_SCRIPT;
/// The variable in which the bench hands over the CA of the ACS.
const CA: &str = "ca_certificate";
/// Bytes of a CA with an elliptic curve as PEM, more or less.
const CA_SIZE: usize = 700;

/// What is wrong with a script as the first one of a board, by its own lines; but for its size.
pub fn lint_script(script: &str) -> Vec<Finding> {
    let mut findings = lint_first(script);
    // What is not ASCII is told by the checks that all scripts have.
    if let Err(words) = check_text(script)
        && script.is_ascii()
    {
        let (line, words) = match at_line(&words) {
            Some((line, words)) => (line, words.to_owned()),
            None => (script.lines().count(), words),
        };
        findings.push(Finding { line, severity: Severity::Error, code: "text", words });
    }
    findings
}

/// `line 3: WORDS`
fn at_line(words: &str) -> Option<(usize, &str)> {
    let (line, rest) = words.strip_prefix("line ")?.split_once(": ")?;
    Some((line.parse().ok()?, rest))
}

/// What is wrong with the size of the scripts that a template gives: no board takes one that is too
/// large at its smallest, and some boards' will be refused where only the largest is.
pub fn lint_size(smallest: usize, largest: usize) -> Option<Finding> {
    let (severity, words) = if smallest > MAX_SCRIPT {
        (Severity::Error, format!("{TOO_BIG}: at its smallest it has {}", room(smallest)))
    } else if largest > MAX_SCRIPT {
        let words = format!(
            "with a value for each of its variables and a CA it has {}: a board that is to get so much \
             is refused",
            room(largest)
        );
        (Severity::Warning, words)
    } else {
        return None;
    };
    Some(Finding { line: 0, severity, code: "room", words })
}

/// Gives values that are made up the size that they have on the bench.
pub fn full_size(values: &mut Values) {
    if let Some(ca) = values.get_mut(CA) {
        *ca = Value::from("A".repeat(CA_SIZE));
    }
}

/// What a script takes of what a board takes: `3,412 of 4,000 bytes`.
pub fn room(size: usize) -> String {
    format!("{} of {} bytes", grouped(size), grouped(MAX_SCRIPT))
}

/// `3,412`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let found = |script: &str| -> Vec<(usize, &'static str)> {
            lint_script(script).into_iter().map(|finding| (finding.line, finding.code)).collect()
        };
        assert!(found(":delay 10s\n/ip dns set servers=192.0.2.1\n").is_empty());
        assert_eq!(found(":delay 10s\n/ip dns set servers=192.0.2.1"), [(2, "text")]);
        assert_eq!(found(":delay 10s\r\n"), [(1, "text")]);
        assert_eq!(found("\n/ip dns set servers=192.0.2.1\n"), [(2, "wait")]);
        assert_eq!(found(":delay 60s\n:delay 60s\n"), [(2, "delay")]);
        assert!(found(":delay 1s\n:put \"\u{101}\"\n").is_empty(), "the other checks tell it");
    }

    #[test]
    fn what_cannot_fit_is_refused_and_what_may_not_is_warned_of() {
        let severity = |smallest, largest| lint_size(smallest, largest).map(|found| found.severity);
        assert_eq!(severity(3_999, 4_000), None);
        assert_eq!(severity(4_000, 4_001), Some(Severity::Warning));
        assert_eq!(severity(4_001, 4_001), Some(Severity::Error));
        let words = lint_size(4_312, 5_000).map(|found| found.words).unwrap_or_default();
        let told = "Not enough flash space, ignoring: at its smallest it has 4,312 of 4,000 bytes";
        assert_eq!(words, told);
        assert_eq!(room(412), "412 of 4,000 bytes");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
