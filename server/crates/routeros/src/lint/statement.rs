//! What is wrong with a statement, or dangerous about it.

use std::borrow::Cow;

use super::Findings;
use crate::lex::{Inside, Statement, Visit, is_unseen};
use crate::menus::{begins_menu, in_full, is_menu, is_short_for};
use crate::secret::tells;

/// Milliseconds that the delays of a script may add up to: boards end some scripts after 120 s.
const MAX_DELAY: u64 = 100_000;
/// What may stand behind a `:`.
const GLOBAL: &str = "beep blink convert delay deserialize do environment error execute exit find for \
    foreach global grep if import jobname led len local log nothing onerror parse password pick ping \
    put quit range resolve retry return rndnum rndstr serialize set setup terminal time timestamp \
    toarray tobool tocrlf toid toip toip6 tolf tonsec tonum tostr totime typeof while";
/// Those that work without it, in the root. `set` is not among them: it sets something of a menu.
const NOT_IN_ROOT: [&str; 2] = ["set", "find"];
/// Further commands of the root.
const ROOT: &str = "export import password ping quit redo undo";
/// Commands that take what `[find ..]` gives.
const ON_ITEMS: [&str; 8] =
    ["set", "remove", "enable", "disable", "move", "unset", "edit", "reset-counters"];
/// Commands that are dangerous in some menus.
const DANGEROUS: [&str; 12] = [
    "add",
    "set",
    "remove",
    "disable",
    "uninstall",
    "shutdown",
    "format",
    "format-drive",
    "load",
    "reset",
    "reset-configuration",
    "reset-tr069-config",
];
/// Menus that nobody empties on purpose.
const EMPTIED: [&str; 4] = ["/ip/firewall", "/ipv6/firewall", "/ip/address", "/ipv6/address"];

/// The checks that look at statements.
#[derive(Default)]
pub(super) struct Statements {
    /// Milliseconds of the delays until now.
    delay: u64,
    /// How deep the function stands, if there is one, whose statements come.
    function: Option<usize>,
}

impl Statements {
    pub(super) fn check(&mut self, visit: &Visit<'_, '_>, findings: &mut Findings) {
        let statement = visit.statement;
        let line = statement.line;
        self.delay(statement, findings);
        self.function = self.function.filter(|function| visit.depth > *function);
        // A function declares the globals that it needs, and gives them no value.
        let is_needed = self.function.is_some() && statement.arguments.len() == 1;
        if statement.verb.as_deref() == Some(":global") && visit.is_braced && !is_needed {
            let words = "`:global` within `{..}`: declare it outside, before the block";
            findings.warning(line, "global", words);
        }
        if self.function.is_none() && is_function(statement) {
            self.function = Some(visit.depth);
        }
        // What may be an array is no commands.
        if visit.inside == Inside::Value {
            return;
        }
        menu(visit, findings);
        let (menu, verb) = meant(statement);
        if let Some(what) = danger(statement, &menu, verb) {
            findings.warning(line, "dangerous", format!("dangerous: this {what}"));
        }
        if let Some(words) = hidden(statement) {
            findings.warning(line, "hidden", words);
        }
        if let Some(name) = asks_itself(statement, verb) {
            let words = format!(
                "`{name}=${name}` is so of every item: RouterOS takes `${name}` for the item's own; \
                 call the variable something else"
            );
            findings.warning(line, "itself", words);
        }
        if takes_numbers(statement, verb) {
            let words = "an item by its number: numbers change, use `[find ..]`";
            findings.warning(line, "numbers", words);
        }
        if statement.arguments.iter().any(|(name, value)| name == "comment" && tells(value)) {
            findings.warning(line, "secret", "a secret in a comment, it seems: leave it out");
        }
    }

    fn delay(&mut self, statement: &Statement<'_>, findings: &mut Findings) {
        let is_delay = matches!(statement.verb.as_deref(), Some(":delay" | "delay"));
        let Some((_, time)) = statement.arguments.first().filter(|_| is_delay) else { return };
        let before = self.delay;
        self.delay = before.saturating_add(duration(time).unwrap_or(0));
        if before <= MAX_DELAY && self.delay > MAX_DELAY {
            let words = "delays of more than 100 s in all: boards end some scripts after 120 s";
            findings.warning(statement.line, "delay", words);
        }
    }
}

/// `:local name do={..}`
pub(super) fn is_function(statement: &Statement<'_>) -> bool {
    matches!(statement.verb.as_deref(), Some(":local" | ":global" | ":set"))
        && statement.arguments.iter().any(|(name, _)| name == "do")
}

/// The menu and the command of a statement, that menu in full where a short one is known. What looks
/// like a menu and is none may be a short command.
pub(super) fn meant<'s>(statement: &'s Statement<'_>) -> (Cow<'s, str>, &'s str) {
    let menu = statement.menu.as_str();
    let (menu, verb) = match (statement.verb.as_deref(), menu.rsplit_once('/')) {
        (Some(verb), _) => (menu, verb),
        (None, Some((above, last))) if !is_menu(menu) => (above, last),
        _ => (menu, ""),
    };
    let full = if is_menu(menu) { None } else { in_full(menu) };
    (full.map_or(Cow::Borrowed(menu), Cow::Owned), verb)
}

/// Whether the menu and the command are known.
fn menu(visit: &Visit<'_, '_>, findings: &mut Findings) {
    let statement = visit.statement;
    let line = statement.line;
    let among = |list: &str, word: &str| list.split_whitespace().any(|known| known == word);
    if let Some(path) = &visit.unknown {
        return unknown(path, statement, findings);
    }
    let Some(verb) = &statement.verb else { return };
    if let Some(global) = verb.strip_prefix(':') {
        if !among(GLOBAL, global) {
            findings.warning(line, "command", format!("`{verb}` is no command that is known"));
        }
        return;
    }
    let in_root = among(ROOT, verb)
        || (among(GLOBAL, verb) && !NOT_IN_ROOT.contains(&verb.as_str()))
        // What looks for something in an array.
        || (verb == "find" && statement.arguments.iter().any(|(name, _)| name.is_empty()));
    if statement.menu == "/" && !in_root {
        findings.error(line, "menu", format!("`{verb}` has no menu before it"));
    }
}

/// A word that is neither a menu nor a command, at the end of this path. It may be short for one.
fn unknown(path: &str, statement: &Statement<'_>, findings: &mut Findings) {
    let line = statement.line;
    let of_root = path.strip_prefix('/').filter(|word| !word.contains('/'));
    let begins = |list: &str| {
        of_root.is_some_and(|word| list.split_whitespace().any(|known| known.starts_with(word)))
    };
    let full = in_full(path).filter(|_| statement.menu.starts_with(path));
    if path == "/tr069" && in_full(&statement.menu).is_none() {
        let words = "there is no menu `/tr069`: the client's is `/tr069-client`";
        findings.error(line, "menu", words);
    } else if let Some(full) = full {
        let words = format!("`{path}` is short for `{full}`, it seems: write it in full");
        findings.warning(line, "menu", words);
    } else if of_root.is_some() && !begins_menu(path) && !begins(ROOT) && !begins(GLOBAL) {
        findings.error(line, "menu", format!("`{path}` is no menu that is known"));
    } else {
        let words = format!(
            "`{path}` is neither a menu nor a command that is known: write in full what is short"
        );
        findings.warning(line, "menu", words);
    }
}

/// What a statement does, with this command in this menu, that should make somebody look twice.
fn danger(statement: &Statement<'_>, menu: &str, verb: &str) -> Option<&'static str> {
    let value = |name: &str| {
        statement.arguments.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    let no_password = || value("password").is_none_or(str::is_empty);
    let full = DANGEROUS.into_iter().find(|command| is_short_for(verb, command));
    match (menu, full.unwrap_or(verb)) {
        ("/system", verb) if verb.starts_with("reset") => Some("removes the whole configuration"),
        ("/system/backup", "load") => Some("replaces the whole configuration"),
        ("/system", "shutdown") => Some("switches the board off"),
        ("/disk", "format" | "format-drive" | "reset") => Some("formats or resets a disk"),
        ("/system/package", "uninstall" | "disable") => Some("takes a package away"),
        ("/user", "remove") => Some("removes a user"),
        ("/user", "add") if no_password() => Some("adds a user without a password"),
        ("/user", "set") if no_password() => Some("changes a user and sets no password"),
        ("/tr069-client", "disable" | "reset" | "reset-tr069-config") => {
            Some("ends the board's link to Muster")
        }
        ("/tr069-client", "set")
            if matches!(value("enabled"), Some("no" | "false")) || value("acs-url") == Some("") =>
        {
            Some("ends the board's link to Muster")
        }
        (menu, "remove") if is_emptied(menu) && takes_all(statement) => Some("removes everything"),
        _ => None,
    }
}

fn is_emptied(menu: &str) -> bool {
    EMPTIED.iter().any(|of| {
        menu.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether it takes every item there is, but perhaps for those that are dynamic.
fn takes_all(statement: &Statement<'_>) -> bool {
    let is_all = |find: &str| {
        let find = find.trim().trim_start_matches("where").trim();
        matches!(find, "" | "!dynamic" | "dynamic=no" | "dynamic=\"no\"")
    };
    let is_find = |value: &str| {
        let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
        inner.is_some_and(|inner| inner.split_once("find").is_some_and(|(_, find)| is_all(find)))
    };
    let is_item = |name: &str| matches!(name, "" | "numbers");
    statement.find.as_deref().is_some_and(is_all)
        || statement.arguments.iter().any(|(name, value)| is_item(name) && is_find(value))
}

/// Commands that it runs and that are not looked at, because they do not stand in a block.
fn hidden(statement: &Statement<'_>) -> Option<String> {
    let verb = statement.verb.as_deref().unwrap_or_default().trim_start_matches(':');
    let is_hidden = |(name, value): &&(String, String)| match name.as_str() {
        "" => verb == "execute" && !value.starts_with('{'),
        // Elsewhere it may be anything.
        "command" if verb != "retry" => false,
        _ => is_unseen(statement, name, value),
    };
    let (name, _) = statement.arguments.iter().find(is_hidden)?;
    let place = if name.is_empty() { verb.to_owned() } else { format!("{name}=") };
    Some(format!("what `{place}` runs is in a text or a variable, and not checked: use `{{..}}`"))
}

/// The property that a `find` compares with a variable of the same name.
fn asks_itself<'s>(statement: &'s Statement<'_>, verb: &str) -> Option<&'s str> {
    let is_itself = |name: &str, value: &str| value.strip_prefix('$') == Some(name);
    let mut arguments = statement.arguments.iter().filter(|_| matches!(verb, "find" | "print"));
    arguments.find(|(name, value)| is_itself(name, value)).map(|(name, _)| name.as_str())
}

/// Whether it says to this command which items it means by their numbers.
fn takes_numbers(statement: &Statement<'_>, verb: &str) -> bool {
    let is_number = |value: &str| {
        value.starts_with(|c: char| c.is_ascii_digit())
            && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
    };
    let on_items = ON_ITEMS.iter().any(|command| is_short_for(verb, command));
    let is_told = |(at, (name, value)): (usize, &(String, String))| {
        (name == "numbers" || (at == 0 && name.is_empty())) && is_number(value)
    };
    on_items && statement.arguments.iter().enumerate().any(is_told)
}

/// Milliseconds of `5`, `1m30s`, `500ms` or `00:00:05`; none where it is no constant.
pub(super) fn duration(text: &str) -> Option<u64> {
    if text.contains(':') {
        let add = |sum: u64, part: &str| sum.checked_mul(60)?.checked_add(part.parse().ok()?);
        return text.split(':').try_fold(0, add)?.checked_mul(1000);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(letters);
        let factor = match unit {
            "" | "s" => 1000,
            "ms" => 1,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = next;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_read_in_the_ways_that_routeros_writes_them() {
        for (text, milliseconds) in [
            ("5", Some(5000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("00:01:05", Some(65_000)),
            ("", Some(0)),
            ("1d", Some(86_400_000)),
            ("$x", None),
            ("0.5s", None),
            ("99999999999999999999", None),
            ("1x", None),
        ] {
            assert_eq!(duration(text), milliseconds, "{text}");
        }
    }
}
