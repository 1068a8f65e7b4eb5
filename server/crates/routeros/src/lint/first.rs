//! What is wrong with a script that is the first of a board: its default configuration, which runs
//! before the ports are there and is ended after two minutes.
//!
//! Owns how long a script waits, as far as that is seen without running it. What a text says that the
//! script has parsed later is not looked at, nor how long its other commands take.

use super::statement::{duration, is_function, meant};
use super::{Finding, Findings};
use crate::lex::{Inside, Statement, Token, TokenKind, Visit, lex, walk};
use crate::menus::is_short_for;

/// Milliseconds after which a board ends its first script.
const ENDED: u64 = 120_000;
/// Commands that change what a board is.
const CHANGES: [&str; 9] =
    ["add", "set", "remove", "enable", "disable", "unset", "move", "import", "fetch"];
/// What stands beside a number that something is counted up to.
const COMPARES: [&str; 5] = ["<", "<=", "=", ">=", ">"];

/// What is wrong with a script as the first one of a board, by line.
pub fn lint_first(script: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    let mut first = First::default();
    walk(script, &lex(script), "/", &mut |visit| first.look(visit, &mut findings));
    findings.sorted()
}

/// What was seen until now.
#[derive(Default)]
struct First {
    /// Milliseconds of the delays.
    delay: u64,
    has_waited: bool,
    has_changed: bool,
    /// The loops that a statement stands in: how deep each of them does, and how often it turns at
    /// most.
    loops: Vec<(usize, Option<u64>)>,
    /// How deep the function stands whose statements come: they run when somebody calls it.
    function: Option<usize>,
}

impl First {
    fn look(&mut self, visit: &Visit<'_, '_>, findings: &mut Findings) {
        let (statement, depth) = (visit.statement, visit.depth);
        if self.function.is_some_and(|function| depth > function) {
            return;
        }
        self.function = is_function(statement).then_some(depth);
        self.loops.retain(|(of, _)| *of < depth);
        let verb = statement.verb.as_deref().unwrap_or_default();
        match verb.trim_start_matches(':') {
            "delay" => self.wait(statement, findings),
            "for" => self.loops.push((depth, from_to(statement))),
            loops @ ("while" | "do") => {
                self.loops
                    .extend(condition(statement, loops).map(|of| (depth, turns(statement, of))));
            }
            _ if visit.inside != Inside::Value => {
                let (menu, verb) = meant(statement);
                if needs_ports(&menu, verb.trim_start_matches(':')) {
                    self.change(statement, findings);
                }
            }
            _ => {}
        }
    }

    fn wait(&mut self, statement: &Statement<'_>, findings: &mut Findings) {
        let Some((_, time)) = statement.arguments.first() else { return };
        let once = duration(time);
        self.has_waited |= once != Some(0);
        let turns =
            self.loops.iter().try_fold(1_u64, |all, (_, of)| Some(all.saturating_mul((*of)?)));
        if once.is_none() || turns.is_none() {
            let words = "how long this waits is not seen: count the turns of the loop, as in \
                         `while ($n < 30)`, and write the time as a number";
            findings.warning(statement.line, "delay", words);
        }
        let before = self.delay;
        let more = once.unwrap_or(0).saturating_mul(turns.unwrap_or(1));
        self.delay = before.saturating_add(more);
        if before < ENDED && self.delay >= ENDED {
            let words = "delays of 120 s or more in all: a board ends its first script after 120 s, and \
                         what stands behind is not done";
            findings.error(statement.line, "delay", words);
        }
    }

    fn change(&mut self, statement: &Statement<'_>, findings: &mut Findings) {
        if !self.has_waited && !self.has_changed {
            let words = "no wait before this, the first change: the ports may not be there yet. Begin \
                         with a loop that waits for them, or with `:delay 10s`";
            findings.error(statement.line, "wait", words);
        }
        self.has_changed = true;
    }
}

/// Whether a command changes what may not be there yet: anything but the system itself.
fn needs_ports(menu: &str, verb: &str) -> bool {
    let is_of_system = menu == "/system" || menu.starts_with("/system/");
    let has_place = menu != "/" || is_short_for(verb, "import");
    let changes = || CHANGES.iter().any(|change| is_short_for(verb, change));
    has_place && !is_of_system && changes()
}

/// How often `:for i from=1 to=30` turns.
fn from_to(statement: &Statement<'_>) -> Option<u64> {
    let number = |wanted: &str| {
        let value = statement.arguments.iter().find(|(name, _)| name == wanted);
        value.and_then(|(_, value)| value.parse::<i64>().ok())
    };
    let turns = number("from")?.abs_diff(number("to")?);
    let step = number("step").map_or(1, i64::unsigned_abs).max(1);
    Some((turns / step).saturating_add(1))
}

/// What a loop turns by: what stands behind `:while`, or as `while=` behind `:do {..}`.
fn condition<'s>(statement: &'s Statement<'_>, verb: &str) -> Option<&'s str> {
    let name = if verb == "do" { "while" } else { "" };
    let said = statement.arguments.iter().find(|(known, _)| known == name);
    said.map(|(_, value)| value.as_str())
}

/// How often a loop turns at most: its condition says it, or a condition within it that ends it.
fn turns(statement: &Statement<'_>, condition: &str) -> Option<u64> {
    counted_up_to(condition).or_else(|| counted_up_to(statement.text))
}

/// The greatest number with which something in round brackets is compared.
fn counted_up_to(text: &str) -> Option<u64> {
    let tokens = lex(text);
    let number =
        |token: Option<&Token>| token.and_then(|token| token.text(text).parse::<u64>().ok());
    let mut open = 0_usize;
    let mut most: Option<u64> = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open('(') => open += 1,
            TokenKind::Close(')') => open = open.saturating_sub(1),
            TokenKind::Operator if open > 0 && COMPARES.contains(&token.text(text)) => {
                let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                most = most.max(number(before)).max(number(tokens.get(at + 1)));
            }
            _ => {}
        }
    }
    most.filter(|most| *most > 0)
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    const WAIT: &str = ":local n 0\n:while (([:len [/interface ethernet find]]=0) && ($n < 30)) do={\n\
                        :delay 1s\n:set n ($n + 1)\n}\n";

    fn found(script: &str) -> Vec<(usize, Severity, &'static str)> {
        lint_first(script).into_iter().map(|f| (f.line, f.severity, f.code)).collect()
    }

    #[test]
    fn it_waits_before_it_changes_anything() {
        for good in [
            format!("{WAIT}/ip dns set servers=1.1.1.1"),
            ":delay 10s\n/ip dns\nset servers=1.1.1.1".to_owned(),
            "/system identity set name=a\n/system device-mode update fetch=yes".to_owned(),
            "/sys identity set name=a".to_owned(),
            ":put [/ip dns get servers]\n/log info message=x".to_owned(),
            ":local f do={ /ip dns set servers=1.1.1.1 }\n:delay 1\n$f".to_owned(),
            ":delay 1s; /user set [find where name=admin] password=x".to_owned(),
        ] {
            assert!(found(&good).is_empty(), "{good}: {:?}", found(&good));
        }
        for (line, early) in [
            (1, "/ip dns set servers=1.1.1.1\n:delay 10s\n/ip dns set servers=1.1.1.1"),
            (2, "/ip dns\nset servers=1.1.1.1"),
            (2, ":do {\n/ip pool add name=a\n} on-error={}"),
            (1, "/import a.rsc"),
            (2, ":delay 0\n/ip dns set servers=1.1.1.1"),
            (1, "/tool fetch url=http://192.0.2.1/a"),
            (1, "/int bridge ad name=a"),
            (1, ":onerror e in={ /ip pool add name=a } do={}"),
            (1, "do { /ip pool add name=a } on-error={}"),
        ] {
            assert_eq!(found(early), [(line, Severity::Error, "wait")], "{early}");
        }
    }

    #[test]
    fn it_is_over_before_the_board_ends_it() {
        let manual = ":local count 0\n:while ([/interface/ethernet/find]=\"\") do={\n\
                      :if ($count=30) do={ :quit }\n:delay 1s\n:set count ($count + 1)\n}\n";
        for good in [
            manual,
            WAIT,
            ":for i from=1 to=11 do={ :delay 10s }",
            ":delay 1m\n:delay 59s",
            ":do { :delay 1s; :set n ($n + 1) } while=($n < 60)",
            ":while ($n < 3) do={ :while (20 > $m) do={ :delay 1s } }\n:delay 59s",
        ] {
            assert!(found(good).is_empty(), "{good}: {:?}", found(good));
        }
        for (line, long) in [
            (2, ":delay 1m\n:delay 1m\n:delay 1m"),
            (1, ":for i from=12 to=1 do={ :delay 10s }"),
            (1, ":while ($n < 4) do={ :while (30 > $m) do={ :delay 1s } }"),
            (4, ":local n 0\n:while ($n < 60) do={\n:put \"a\"\n:delay 2s\n}"),
        ] {
            assert_eq!(found(long), [(line, Severity::Error, "delay")], "{long}");
        }
        for unknown in [":while (true) do={ :delay 1s }", ":delay $long"] {
            assert_eq!(found(unknown), [(1, Severity::Warning, "delay")], "{unknown}");
        }
    }
}
