//! How two texts differ: two versions of a template, two scripts, a script and the configuration of a
//! device.
//!
//! Owns how much of a difference is shown, and that it is worked out where nobody waits behind it.

use std::collections::BTreeSet;

use muster_routeros::export::{self, DiffLine, Kind, Piece, written_by};
use muster_routeros::lex::{Statement, statements_under};
use muster_routeros::quote::quote;
use serde::Serialize;

use crate::error::Error;

/// Lines that are shown.
const MOST: usize = 400;
/// How deep in blocks commands are looked for.
const DEEPEST: usize = 8;

/// What differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Compared {
    /// `2 lines new, 1 gone`; empty where nothing differs.
    pub(super) count: String,
    /// Those that differ, and some around them.
    pub(super) lines: Vec<Line>,
    /// There are more.
    pub(super) more: bool,
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// `+` new, `-` gone, `…` lines that are left out; empty: as it was.
    sign: &'static str,
    pieces: Vec<Piece>,
}

/// What differs between two texts.
///
/// # Errors
/// [`Error::Internal`]
pub(super) async fn texts(before: String, after: String) -> Result<Compared, Error> {
    apart(move || compared(&before, &after)).await
}

/// What a configuration says otherwise than a script of all that the script writes.
///
/// # Errors
/// [`Error::Internal`]
pub(super) async fn with_configuration(
    configuration: String,
    script: String,
) -> Result<Compared, Error> {
    apart(move || {
        let properties = written_by(&script);
        compared(&commands(&configuration, &properties), &commands(&script, &properties))
    })
    .await
}

/// Elsewhere than where others wait: texts may be long.
async fn apart(work: impl FnOnce() -> Compared + Send + 'static) -> Result<Compared, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::Internal(format!("comparing two texts: {e}")))
}

fn compared(before: &str, after: &str) -> Compared {
    let (added, removed) = export::count(before, after);
    let mut lines: Vec<Line> = export::diff(before, after).into_iter().flat_map(shown).collect();
    let more = lines.len() > MOST || export::is_cut(before, after);
    lines.truncate(MOST);
    Compared { count: count(added, removed), lines, more }
}

fn count(added: usize, removed: usize) -> String {
    let lines =
        |count: usize| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
    match (added, removed) {
        (0, 0) => String::new(),
        (added, 0) => format!("{} new", lines(added)),
        (0, removed) => format!("{} gone", lines(removed)),
        (added, removed) => format!("{} new, {removed} gone", lines(added)),
    }
}

/// A line that changed is shown as it was and as it is.
fn shown(line: DiffLine) -> Vec<Line> {
    let side = |sign, pieces: Option<Vec<Piece>>| Line { sign, pieces: pieces.unwrap_or_default() };
    match line.kind {
        Kind::Same => vec![side("", line.after)],
        Kind::Added => vec![side("+", line.after)],
        Kind::Removed => vec![side("-", line.before)],
        Kind::Changed => vec![side("-", line.before), side("+", line.after)],
        Kind::Gap => vec![side("…", None)],
    }
}

/// What a text sets of these properties, a command to a line, each with its menu and in order: so that
/// it does not matter in which way a script says it.
fn commands(text: &str, properties: &BTreeSet<(String, String)>) -> String {
    let mut lines = BTreeSet::new();
    collect(text, "/", DEEPEST, properties, &mut lines);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn collect(
    text: &str,
    menu: &str,
    depth: usize,
    properties: &BTreeSet<(String, String)>,
    lines: &mut BTreeSet<String>,
) {
    for statement in statements_under(text, menu) {
        match statement.verb.as_deref() {
            Some(verb @ ("add" | "set")) => lines.extend(command(verb, &statement, properties)),
            // `:if`, `:do` and their like: what is in their blocks.
            Some(verb) if verb.starts_with(':') && depth > 0 => {
                let values = statement.arguments.iter().map(|(_, value)| value);
                for block in values.filter_map(|v| v.strip_prefix('{')?.strip_suffix('}')) {
                    collect(block, &statement.menu, depth - 1, properties, lines);
                }
            }
            _ => {}
        }
    }
}

/// `/ip/dns set servers=9.9.9.9`
fn command(
    verb: &str,
    statement: &Statement<'_>,
    properties: &BTreeSet<(String, String)>,
) -> Option<String> {
    let menu = &statement.menu;
    let wanted = |name: &str| properties.contains(&(menu.clone(), name.to_owned()));
    let said = statement.arguments.iter().filter(|(name, _)| wanted(name));
    let mut said: Vec<String> =
        said.map(|(name, value)| format!("{name}={}", word(value))).collect();
    if said.is_empty() {
        return None;
    }
    said.sort();
    let which = statement.find.as_ref().map(|which| format!(" [find {which}]")).unwrap_or_default();
    Some(format!("{menu} {verb}{which} {}", said.join(" ")))
}

/// A value on one line.
fn word(value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => quote(value),
    }
}

#[cfg(test)]
pub(super) fn sample() -> Compared {
    let lines = |text: &str| "/ip pool\nadd name=\"<x-evil>\"\n".repeat(9) + text;
    compared(&lines("set a=1 b=2\nset <x-evil>=1\n"), &lines("set a=1 b=3\n\n  add c=4\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(compared: &Compared) -> Vec<String> {
        let text = |line: &Line| -> String {
            line.pieces.iter().map(|piece| piece.text.as_str()).collect()
        };
        compared.lines.iter().map(|line| format!("{}{}", line.sign, text(line))).collect()
    }

    #[test]
    fn a_line_that_changed_is_shown_as_it_was_and_as_it_is() {
        let compared = compared("/ip dns\nset servers=1.1.1.1\n", "/ip dns\nset servers=9.9.9.9\n");
        let expected = ["/ip dns", "-set servers=1.1.1.1", "+set servers=9.9.9.9"];
        assert_eq!(told(&compared), expected);
        assert_eq!(compared.count, "1 line new, 1 gone");
        assert!(!compared.more);
    }

    #[test]
    fn a_great_difference_is_cut() {
        let text: String = (0..MOST + 1).map(|n| format!("add name=a{n}\n")).collect();
        let cut = compared("", &text);
        assert_eq!((cut.lines.len(), cut.more), (MOST, true));
        assert_eq!(cut.count, format!("{} lines new", MOST + 1));
        assert_eq!(compared(&text, &text), Compared::default());
    }

    #[test]
    fn a_script_is_compared_with_what_a_configuration_says_of_the_same() {
        let script = "/ip dns set servers=\"9.9.9.9\"\n/interface wifi\n\
            set [find default-name=wifi1] configuration.ssid=\"Rīga\\20home\"\n\
            :if ([:len [/ip pool find name=lan]] = 0) do={ /ip pool add ranges=\"10.0.0.2\" name=lan }\n";
        let configuration = "/ip dns\nset cache-size=4096 servers=1.1.1.1\n/ip pool\n\
            add name=lan ranges=10.0.0.2\n/interface wifi\n\
            set [ find default-name=wifi1 ] configuration.ssid=old disabled=no\n\
            /system identity\nset name=x\n";
        let properties = written_by(script);
        assert_eq!(
            commands(configuration, &properties),
            "/interface/wifi set [find default-name=wifi1] configuration.ssid=old\n\
             /ip/dns set servers=1.1.1.1\n/ip/pool add name=lan ranges=10.0.0.2\n"
        );
        let found = commands(script, &properties);
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(lines.len(), 3, "{found}");
        assert!(lines[0].starts_with("/interface/wifi set [find default-name=wifi1] "), "{found}");
        assert_eq!(
            lines[1..],
            ["/ip/dns set servers=9.9.9.9", "/ip/pool add name=lan ranges=10.0.0.2"]
        );
    }
}
