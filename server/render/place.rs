//! Where values stand in a script. Pure.
//!
//! Each value comes between two marks, already written as a RouterOS string. That alone does not
//! keep it a string: after `"hello ` its first quote would be the end of another. So the text around
//! it is followed as RouterOS reads it, and a value may only stand where a string can begin. Where
//! RouterOS runs what the string says, that it is one helps nobody: those places are told apart.

mod level;

use std::iter::Peekable;
use std::str::Chars;

use level::Level;

/// Before a value.
pub(super) const OPEN: char = '\u{1}';
/// After a value.
pub(super) const CLOSE: char = '\u{2}';

/// A place where no value may stand, or that RouterOS reads otherwise than it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misplaced {
    /// 1-based.
    pub line: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Inside of a string.
    Text,
    /// In a comment.
    Remark,
    /// Against other text.
    Beside,
    /// No value: a backslash that means something only in strings.
    Backslash,
    /// No value: a `#` of which one cannot tell whether it begins a comment.
    Hash,
}

impl Fault {
    /// The word of it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Text => "in-string",
            Self::Remark => "in-comment",
            Self::Beside => "beside",
            Self::Backslash => "backslash",
            Self::Hash => "hash",
        }
    }

    /// What to do.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => {
                "a value is a whole string, and stands inside of one here: in place of \
                 \"to {{ name }}\" write {{ \"to \" ~ name }}"
            }
            Self::Remark => "a value stands in a comment: take it out",
            Self::Beside => {
                "a value is a whole string, and stands against other text here: in place of \
                 ether{{ n }} write {{ \"ether\" ~ n }}"
            }
            Self::Backslash => {
                "outside of a string a backslash stands only at the end of a line that goes on"
            }
            Self::Hash => "a `#` in the middle of a word: put the word into quotes",
        }
    }
}

/// The script without the marks, and what is misplaced in it.
pub(super) fn settle(marked: &str) -> (String, Vec<Misplaced>) {
    let reader = read(marked);
    (reader.script, reader.misplaced)
}

/// The lines, from 1, on which a value is part of a text that RouterOS runs, and whether it stands
/// alone in one that may be but kept.
pub(super) fn run(marked: &str) -> Vec<(usize, bool)> {
    read(marked).run
}

fn read(marked: &str) -> Reader<'_> {
    let mut reader = Reader {
        chars: marked.chars().peekable(),
        script: String::with_capacity(marked.len()),
        line: 1,
        before: None,
        open: Vec::new(),
        remark: false,
        misplaced: Vec::new(),
        level: Level::default(),
        outer: Vec::new(),
        run: Vec::new(),
    };
    while let Some(c) = reader.take() {
        reader.read(c);
    }
    reader
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    script: String,
    line: usize,
    before: Option<char>,
    /// The string that is open, and what is open in it: a string may hold commands, `$[..]` and
    /// `$(..)`, and these strings. Empty = none is.
    open: Vec<char>,
    /// In a comment.
    remark: bool,
    misplaced: Vec<Misplaced>,
    /// The brackets that are open, outside of strings: the innermost, and those around it.
    level: Level,
    outer: Vec<Level>,
    /// What [`run`] gives.
    run: Vec<(usize, bool)>,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn fault(&mut self, line: usize, fault: Fault) {
        self.misplaced.push(Misplaced { line, fault });
    }

    fn read(&mut self, c: char) {
        if c == OPEN {
            return self.value();
        }
        self.script.push(c);
        if self.remark {
            self.remark = !matches!(c, '\n' | '\r');
            if !self.remark {
                self.level.end_statement();
            }
        } else if self.open.is_empty() {
            self.code(c);
        } else {
            self.text(c);
        }
        self.before = Some(c);
    }

    fn value(&mut self) {
        let line = self.line;
        while let Some(c) = self.take().filter(|c| *c != CLOSE) {
            self.script.push(c);
        }
        let alone = self.before.is_none_or(may_precede)
            && self.chars.peek().copied().is_none_or(may_follow);
        if self.remark {
            self.fault(line, Fault::Remark);
        } else if !self.open.is_empty() {
            self.fault(line, Fault::Text);
        } else if !alone {
            self.fault(line, Fault::Beside);
        } else {
            if self.level.is_run() {
                self.run.push((line, self.level.is_kept()));
            }
            self.level.push('"');
        }
        self.before = Some('"');
    }

    fn code(&mut self, c: char) {
        match c {
            '"' => self.open.push('"'),
            '#' => {
                if !self.before.is_none_or(may_precede_remark) {
                    self.fault(self.line, Fault::Hash);
                }
                self.remark = true;
            }
            '\\' if !matches!(self.chars.peek(), Some('\n' | '\r')) => {
                self.fault(self.line, Fault::Backslash);
            }
            _ => {}
        }
        self.follow(c);
    }

    /// Keeps what may say of a value that it is run.
    fn follow(&mut self, c: char) {
        match c {
            ' ' | '\t' => self.level.end_argument(),
            // The end of a line that goes on.
            '\\' => {}
            '\n' | '\r' if ["\\\n", "\\\r", "\\\r\n"].iter().any(|e| self.script.ends_with(e)) => {}
            '\n' | '\r' | ';' => self.level.end_statement(),
            '(' | '[' | '{' => {
                // What a command gives is its own; a block has the value as a string in it.
                let joins = c == '(' && self.level.is_run();
                let outer = std::mem::replace(&mut self.level, Level::within(joins));
                self.outer.push(outer);
            }
            ')' | ']' | '}' => {
                self.level = self.outer.pop().unwrap_or_default();
                self.level.push(c);
            }
            c => self.level.push(c),
        }
    }

    /// Within a string, or in a command that it holds.
    fn text(&mut self, c: char) {
        let in_text = self.open.last() == Some(&'"');
        match c {
            '\\' if self.chars.peek() != Some(&OPEN) => {
                let escaped = self.take();
                self.script.extend(escaped);
            }
            '"' if in_text => drop(self.open.pop()),
            '$' if in_text => {
                if let Some(bracket) = self.chars.next_if(|c| matches!(c, '[' | '(')) {
                    self.script.push(bracket);
                    self.open.push(bracket);
                }
            }
            '"' | '(' | '[' | '{' if !in_text => self.open.push(c),
            ')' | ']' | '}' if !in_text => {
                let opens = match c {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if self.open.last() == Some(&opens) {
                    self.open.pop();
                } else {
                    // It has no end: neither has the string.
                    self.open.push(CLOSE);
                }
            }
            _ => {}
        }
    }
}

/// Whether a string that follows this is a word of its own.
fn may_precede(c: char) -> bool {
    c.is_ascii_whitespace()
        || matches!(c, '=' | ',' | ';' | '(' | '[' | '{' | '!' | '~' | '<' | '>')
}

/// Whether a string that this follows is a word of its own. Another value is judged when it comes.
fn may_follow(c: char) -> bool {
    c == OPEN
        || c.is_ascii_whitespace()
        || matches!(c, '=' | ',' | ';' | ')' | ']' | '}' | '!' | '~' | '<' | '>')
}

/// Whether a `#` after this surely begins a comment.
fn may_precede_remark(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, ';' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a script in which `<x>` is a value.
    fn faults(script: &str) -> Vec<(usize, Fault)> {
        let marked = script.replace("<x>", &format!("{OPEN}\"x\"{CLOSE}"));
        let (settled, misplaced) = settle(&marked);
        assert_eq!(settled, script.replace("<x>", "\"x\""));
        misplaced.into_iter().map(|m| (m.line, m.fault)).collect()
    }

    #[test]
    fn a_value_stands_where_a_string_can_begin() {
        for good in [
            "<x>",
            "set name=<x>\n",
            "add a=<x> b=<x>",
            "set servers=<x>,<x>",
            "set [find name=<x>] x=1",
            ":if ($a!=<x>) do={:put <x>}",
            "# it's \"odd\nset a=<x>",
            "set a=\"it\\\"s # no comment\" b=<x>",
            "set a=\"over\\\n lines\" \\\n b=<x>",
            "{:put <x>;:put <x>}",
            "set a=\"two\nlines\" b=<x>",
            ":put \"$[/x get [find name=\"a]\"] b]$(1+2)\" c=<x>",
            "# a\r:put <x>",
        ] {
            assert!(faults(good).is_empty(), "{good}: {:?}", faults(good));
        }
    }

    #[test]
    fn a_value_in_what_routeros_runs_is_told() {
        let run = |script: &str| run(&script.replace("<x>", &format!("{OPEN}\"x\"{CLOSE}")));
        assert_eq!(run("/system script add source=<x>"), [(1, true)]);
        for (script, line) in [
            ("/system scheduler\nadd name=a on-event=<x>", 2),
            ("/system script set [find name=a] source=(\"/ip dns set servers=\" . <x>)", 1),
            ("/tool netwatch add host=<x> down-script=\\\n  <x>", 2),
            (":execute <x>", 1),
            (":execute script=<x> file=a", 1),
            ("# a\n:local f [:parse (\":put \" . \\\r\n<x>)]", 3),
            (":if (true) do=<x>", 1),
        ] {
            assert_eq!(run(script), [(line, false)], "{script}");
        }
        for script in [
            "[[:parse \":put \\$1\"] <x>]",
            ":local f [:parse \":put \\$a\"]\n$f a=<x>; $f <x>",
            ":parse \"a\"\n:put <x>",
            ":execute script=\"a\" file=<x>",
            "/system scheduler add on-event={ :put <x> } name=<x>",
            "/system script add source=[/file get <x> contents] name=<x>",
            "/ppp profile add on-up= comment=<x>",
            "# :execute\n<x>",
        ] {
            assert!(run(script).is_empty(), "{script}");
        }
    }

    #[test]
    fn a_value_stands_nowhere_else() {
        for (script, line, fault) in [
            ("a\nset a=\"hello <x>\"", 2, Fault::Text),
            ("set a=\"\\<x>\"", 1, Fault::Text),
            ("set a=\"\\\\\\\"<x>", 1, Fault::Text),
            ("set a=\"two\nlines<x>\"", 2, Fault::Text),
            ("set a=\"$[get <x>]\"", 1, Fault::Text),
            (":put \"$[\" <x> \"]\"", 1, Fault::Text),
            (":put \"$(]\" <x>", 1, Fault::Text),
            ("# by <x>", 1, Fault::Remark),
            ("a;#\"<x>\"", 1, Fault::Remark),
            ("set name=ether<x>", 1, Fault::Beside),
            ("set name=<x>ether", 1, Fault::Beside),
            ("set a=<x>/24", 1, Fault::Beside),
            ("set a=\"b\"<x>", 1, Fault::Beside),
            ("set a=$<x>", 1, Fault::Beside),
            ("set a=<x><x>", 1, Fault::Beside),
        ] {
            assert_eq!(faults(script), [(line, fault)], "{script}");
        }
        assert_eq!(faults("set a=\\<x>"), [(1, Fault::Backslash), (1, Fault::Beside)]);
        assert_eq!(faults("\n:put \\\"a"), [(2, Fault::Backslash)]);
        assert_eq!(faults("set color=a#b\nset c=<x>"), [(1, Fault::Hash)]);
    }
}
