//! What a statement is: a menu, a command in it, and what the command is told.
//!
//! A line that is only a menu (`/ip address`) is the menu of the lines behind it, to the end of its
//! block. A command in another menu (`/ip dns set ..`) changes nothing for those.

use std::ops::Range;

use super::walk::{Inside, walk};
use super::{Token, TokenKind, lex};
use crate::menus::{is_command, is_menu};

/// Words of a menu and its command.
const MAX_WORDS: usize = 16;
/// Bytes of a menu; what would make it longer is left out of it.
const MAX_MENU: usize = 256;

/// A statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Where it is carried out: `/ip/firewall/filter`; `/` is the root. Of `:if` and its like, where
    /// what is in them begins.
    pub menu: String,
    /// `add`, `set`, `:if` ...; none where it is only a menu, or is no command.
    pub verb: Option<String>,
    /// In order: names with values, and values alone under the name "". A constant is unquoted; all
    /// else is as it is written: `{..}`, `[..]`, `(..)`, `$x`, a text with variables in it.
    pub arguments: Vec<(String, String)>,
    /// Of `[find ..]` as a value: what stands behind `find`; "" = all.
    pub find: Option<String>,
    /// As it is written.
    pub text: &'a str,
    /// The line it begins on, of the text that was read; the first one is 1.
    pub line: usize,
}

/// The statements of a script or an export, in order. `/ip dns { .. }` counts as what is in it; what
/// is in other blocks and in brackets is left as an argument.
pub fn statements(script: &str) -> Vec<Statement<'_>> {
    statements_under(script, "/")
}

/// As [`statements`], of what is in a block that stands under this menu.
pub fn statements_under<'a>(script: &'a str, menu: &str) -> Vec<Statement<'a>> {
    let mut found = Vec::new();
    walk(script, &lex(script), menu, &mut |visit| {
        if visit.inside == Inside::Menu && !visit.is_menu_block {
            found.push(visit.statement.clone());
        }
    });
    found
}

/// For each token that opens a bracket, the one that closes it; for all others themselves.
pub(crate) fn closes(tokens: &[Token]) -> Vec<usize> {
    let mut closes: Vec<usize> = (0..tokens.len()).collect();
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open(_) => open.push(index),
            TokenKind::Close(_) => {
                if let Some(opening) = open.pop() {
                    closes[opening] = index;
                }
            }
            _ => {}
        }
    }
    closes
}

/// Reads statements out of the tokens of a script.
pub(super) struct Parser<'w, 'a> {
    script: &'a str,
    pub(super) tokens: &'w [Token],
    pub(super) closes: Vec<usize>,
}

/// The menu and the command that a statement begins with.
pub(super) struct Head {
    menu: String,
    verb: Option<String>,
    /// The token behind it.
    end: usize,
    /// Whether the menu does not depend on where the statement stands.
    pub(super) is_absolute: bool,
    pub(super) has_words: bool,
    /// The path down to the first word that is neither a menu nor a command that is known.
    pub(super) unknown: Option<String>,
}

impl<'w, 'a> Parser<'w, 'a> {
    pub(super) fn new(script: &'a str, tokens: &'w [Token]) -> Self {
        Self { script, tokens, closes: closes(tokens) }
    }

    /// The statement of these tokens, under this menu; none where there are no tokens.
    pub(super) fn statement(
        &self,
        range: &Range<usize>,
        base: &str,
    ) -> Option<(Statement<'a>, Head)> {
        let own = &self.tokens[range.clone()];
        let (first, last) = (own.first()?, own.last()?);
        let mut head = self.head(range, base);
        let (arguments, find) = self.arguments(head.end..range.end);
        let statement = Statement {
            menu: std::mem::take(&mut head.menu),
            verb: head.verb.take(),
            arguments,
            find,
            text: &self.script[first.start..last.end],
            line: first.line,
        };
        Some((statement, head))
    }

    /// Without what does not belong to the statement, at both ends.
    pub(super) fn trimmed(&self, mut range: Range<usize>) -> Range<usize> {
        let idle = |at: usize| {
            matches!(self.tokens[at].kind, TokenKind::Continuation | TokenKind::Comment)
        };
        while !range.is_empty() && idle(range.start) {
            range.start += 1;
        }
        while !range.is_empty() && idle(range.end - 1) {
            range.end -= 1;
        }
        range
    }

    /// The name that this token is the value of, in a statement.
    pub(super) fn name_of(&self, range: &Range<usize>, at: usize) -> Option<&'a str> {
        let named = at.checked_sub(2).filter(|name| *name >= range.start)?;
        let is_name = self.tokens[named].kind == TokenKind::Word && self.is_equals(at - 1);
        is_name.then(|| self.tokens[named].text(self.script))
    }

    fn is_equals(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text(self.script) == "=")
    }

    /// The words that a statement begins with: those that are no names of arguments, and no parts of
    /// something longer.
    fn words(&self, range: &Range<usize>) -> Vec<(usize, &'a str)> {
        let mut words = Vec::new();
        let mut at = range.start;
        while at < range.end && words.len() < MAX_WORDS {
            let token = &self.tokens[at];
            let next = self.tokens.get(at + 1).filter(|_| at + 1 < range.end);
            match token.kind {
                TokenKind::Continuation => {}
                TokenKind::Word => {
                    let text = token.text(self.script);
                    let is_part = next.is_some_and(|next| {
                        let is_apart =
                            matches!(next.kind, TokenKind::Continuation | TokenKind::Open(_));
                        next.start == token.end && !is_apart
                    });
                    if self.is_equals(at + 1) || (is_part && !text.starts_with(':')) {
                        break;
                    }
                    words.push((at, text));
                }
                _ => break,
            }
            at += 1;
        }
        words
    }

    fn head(&self, range: &Range<usize>, base: &str) -> Head {
        let words = self.words(range);
        let mut head = Head {
            menu: base.to_owned(),
            verb: None,
            end: range.start,
            is_absolute: false,
            has_words: !words.is_empty(),
            unknown: None,
        };
        let Some(&(at, first)) = words.first() else { return head };
        if first.starts_with(':') {
            return Head { verb: Some(first.to_owned()), end: at + 1, is_absolute: true, ..head };
        }
        head.is_absolute = first.starts_with('/');
        let steps: Vec<(usize, &str)> = words
            .iter()
            .flat_map(|(at, word)| word.split('/').map(move |step| (*at, step)))
            .filter(|(_, step)| !step.is_empty())
            .take(MAX_WORDS)
            .collect();
        let mut menu = if head.is_absolute { "/".to_owned() } else { base.to_owned() };
        let mut known = 0;
        while let Some((_, step)) = steps.get(known) {
            let below = below(&menu, step);
            if !is_menu(&below) {
                break;
            }
            menu = below;
            known += 1;
        }
        let last_word = words.last().map_or(range.start, |(at, _)| at + 1);
        let command = steps[known..].iter().position(|(_, step)| is_command(step));
        let verb = match command {
            Some(more) => Some(known + more),
            // A command that is not known, with what it is told.
            None if known < steps.len() && self.is_told(last_word..range.end) => {
                Some(steps.len() - 1)
            }
            None => None,
        };
        if command != Some(0) {
            head.unknown = steps.get(known).map(|(_, step)| below(&menu, step));
        }
        for (_, step) in &steps[known..verb.unwrap_or(steps.len())] {
            menu = below(&menu, step);
        }
        head.menu = menu;
        head.end = verb.map_or(last_word, |verb| steps[verb].0 + 1);
        head.verb = verb.map(|verb| steps[verb].1.to_owned());
        head
    }

    /// Whether there is more than a block.
    fn is_told(&self, range: Range<usize>) -> bool {
        let range = self.trimmed(range);
        let is_block = !range.is_empty()
            && self.tokens[range.start].kind == TokenKind::Open('{')
            && self.closes[range.start] + 1 == range.end;
        !range.is_empty() && !is_block
    }

    fn arguments(&self, range: Range<usize>) -> (Vec<(String, String)>, Option<String>) {
        let mut arguments = Vec::new();
        let mut find = None;
        let mut at = range.start;
        while at < range.end {
            if self.tokens[at].kind == TokenKind::Continuation {
                at += 1;
                continue;
            }
            let is_named = self.tokens[at].kind == TokenKind::Word
                && at + 1 < range.end
                && self.is_equals(at + 1);
            let name = if is_named { self.tokens[at].text(self.script) } else { "" };
            let value = match is_named {
                true => self.value_after(at + 1, range.end),
                false => at..self.value_end(at, range.end),
            };
            at = value.end;
            match self.found(&value) {
                Some(text) if name.is_empty() => find = Some(text),
                _ => arguments.push((name.to_owned(), self.value(value))),
            }
        }
        (arguments, find)
    }

    /// The tokens of the value behind a `=`; none where there is room before them.
    fn value_after(&self, equals: usize, end: usize) -> Range<usize> {
        let mut first = equals + 1;
        let mut is_near = true;
        while first < end && self.tokens[first].kind == TokenKind::Continuation {
            is_near = self.tokens[first - 1].end == self.tokens[first].start;
            first += 1;
        }
        let is_next = first < end
            && is_near
            && (first > equals + 1 || self.tokens[first].start == self.tokens[equals].end);
        if is_next { first..self.value_end(first, end) } else { first..first }
    }

    /// Behind the last token that goes on without room in between; a bracket counts with what is in it.
    fn value_end(&self, first: usize, end: usize) -> usize {
        let mut at = self.closes[first] + 1;
        while at < end {
            let before = &self.tokens[at - 1];
            let token = &self.tokens[at];
            // A line that is broken within a value goes on behind the room in front of the next.
            let is_joined = before.kind == TokenKind::Continuation || before.end == token.start;
            if !is_joined || token.kind == TokenKind::Separator {
                break;
            }
            at = self.closes[at] + 1;
        }
        at
    }

    /// A constant as what it means, all else as it is written.
    fn value(&self, range: Range<usize>) -> String {
        if let [Token { kind: TokenKind::String(text), .. }] = &self.tokens[range.clone()] {
            return text.clone();
        }
        let mut value = String::new();
        let mut at = range.start;
        while at < range.end {
            let last = self.closes[at];
            if self.tokens[at].kind != TokenKind::Continuation {
                value.push_str(&self.script[self.tokens[at].start..self.tokens[last].end]);
            }
            at = last + 1;
        }
        value
    }

    /// Of `[find ..]`, what stands behind `find`.
    fn found(&self, value: &Range<usize>) -> Option<String> {
        let [open, word] = [self.tokens.get(value.start)?, self.tokens.get(value.start + 1)?];
        let close = self.closes[value.start];
        let is_find = open.kind == TokenKind::Open('[')
            && close + 1 == value.end
            && word.kind == TokenKind::Word
            && word.text(self.script) == "find";
        is_find.then(|| self.script[word.end..self.tokens[close].start].trim().to_owned())
    }
}

/// The path of what is called this in a menu; `..` is the one that it is in.
fn below(menu: &str, step: &str) -> String {
    match (menu, step) {
        (_, "..") => match menu.rsplit_once('/') {
            Some((above, _)) if !above.is_empty() => above.to_owned(),
            _ => "/".to_owned(),
        },
        (menu, step) if menu.len() + step.len() >= MAX_MENU => menu.to_owned(),
        ("/", step) => format!("/{step}"),
        (menu, step) => format!("{menu}/{step}"),
    }
}
