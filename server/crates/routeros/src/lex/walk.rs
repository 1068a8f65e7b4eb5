//! Going through the statements of a script, and through those that stand in them.
//!
//! Owns which menu each of them is in, and which blocks are certain to be run.

use std::ops::Range;

use super::statement::{Parser, Statement};
use super::{Token, TokenKind};

/// How deep brackets may stand in each other; what is deeper is not looked at.
pub(crate) const MAX_DEPTH: usize = 32;
/// Arguments whose block is run; any other `{` may as well be an array.
const CODE: [&str; 4] = ["do", "else", "on-error", "command"];
/// Commands that run the block behind them, with their colon or without it.
const RUNNERS: [&str; 4] = ["do", "execute", "onerror", "retry"];
/// Commands that run a block under a name that means something else elsewhere: `:foreach` has an
/// array there.
const NAMED: [(&str, &str); 2] = [("onerror", "in"), ("execute", "script")];

/// Whether a command runs what it is told under this name.
fn is_run(verb: &str, name: &str) -> bool {
    CODE.contains(&name) || NAMED.contains(&(verb, name))
}

/// Whether a statement runs the value of this name, and that is no block: what stands in a text or in a
/// variable is not walked through. A text may look like a block, too.
pub(crate) fn is_unseen(of: &Statement<'_>, name: &str, value: &str) -> bool {
    let verb = of.verb.as_deref().unwrap_or_default().trim_start_matches(':');
    let is_text = || of.text.contains(&format!("{name}=\"{{"));
    is_run(verb, name) && (!value.starts_with('{') || is_text())
}

/// What a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    /// The script itself, or `/ip dns { .. }` in it.
    Menu,
    /// A block that is run under a condition, or `[..]`.
    Code,
    /// A `{..}` that may be an array.
    Value,
}

/// A statement, and where it was met.
pub(crate) struct Visit<'v, 'a> {
    pub statement: &'v Statement<'a>,
    pub inside: Inside,
    /// How many brackets it stands in, and whether one of them is a `{`.
    pub depth: usize,
    pub is_braced: bool,
    /// Whether it is `/ip dns { .. }`.
    pub is_menu_block: bool,
    /// Whether its menu does not depend on where it stands.
    pub is_absolute: bool,
    /// Whether it begins with a word.
    pub has_words: bool,
    /// The path down to the first word that is neither a menu nor a command that is known.
    pub unknown: Option<String>,
}

/// Shows each statement of a script, those in blocks and brackets behind the one they stand in.
pub(crate) fn walk<'a>(
    script: &'a str,
    tokens: &[Token],
    menu: &str,
    visit: &mut dyn FnMut(&Visit<'_, 'a>),
) {
    let mut walker = Walker { parser: Parser::new(script, tokens), visit };
    let place = Place { inside: Inside::Menu, depth: 0, is_braced: false };
    walker.block(0..tokens.len(), menu, place);
}

#[derive(Clone, Copy)]
struct Place {
    inside: Inside,
    depth: usize,
    is_braced: bool,
}

struct Walker<'w, 'a> {
    parser: Parser<'w, 'a>,
    visit: &'w mut dyn FnMut(&Visit<'_, 'a>),
}

impl Walker<'_, '_> {
    fn block(&mut self, range: Range<usize>, menu: &str, place: Place) {
        let mut menu = menu.to_owned();
        let mut at = range.start;
        while at < range.end {
            let mut end = at;
            while end < range.end && self.parser.tokens[end].kind != TokenKind::Separator {
                end = self.parser.closes[end] + 1;
            }
            if let Some(other) = self.statement(self.parser.trimmed(at..end), &menu, place) {
                menu = other;
            }
            at = end + 1;
        }
    }

    /// Shows a statement and what is in it. The menu of those behind it, where it is only that.
    fn statement(&mut self, range: Range<usize>, base: &str, place: Place) -> Option<String> {
        let (statement, head) = self.parser.statement(&range, base)?;
        let is_path = head.has_words && statement.verb.is_none() && statement.find.is_none();
        let is_menu_block = is_path
            && match &statement.arguments[..] {
                [(name, value)] => name.is_empty() && value.starts_with('{'),
                _ => false,
            };
        (self.visit)(&Visit {
            statement: &statement,
            inside: place.inside,
            depth: place.depth,
            is_braced: place.is_braced,
            is_menu_block,
            is_absolute: head.is_absolute,
            has_words: head.has_words,
            unknown: head.unknown,
        });
        self.within(range, &statement, is_menu_block, place);
        let is_carried = is_path && statement.arguments.is_empty() && place.inside != Inside::Value;
        is_carried.then_some(statement.menu)
    }

    /// Goes into the brackets of a statement.
    fn within(&mut self, range: Range<usize>, of: &Statement<'_>, is_menu: bool, place: Place) {
        let verb = of.verb.as_deref().unwrap_or_default().trim_start_matches(':');
        let mut at = range.start;
        while at < range.end {
            let inside = match (is_menu, self.parser.name_of(&range, at)) {
                (true, _) => place.inside,
                (false, Some(name)) if is_run(verb, name) => Inside::Code,
                (false, None) if at == range.start || RUNNERS.contains(&verb) => Inside::Code,
                (false, _) => Inside::Value,
            };
            self.bracket(at, &of.menu, inside, place);
            at = self.parser.closes[at] + 1;
        }
    }

    /// Goes into what this token opens, if it does.
    fn bracket(&mut self, at: usize, menu: &str, braces: Inside, place: Place) {
        let range = at + 1..self.parser.closes[at].max(at + 1);
        let deeper = Place { depth: place.depth + 1, ..place };
        if deeper.depth > MAX_DEPTH {
            return;
        }
        match self.parser.tokens[at].kind {
            TokenKind::Open('{') => {
                self.block(range, menu, Place { inside: braces, is_braced: true, ..deeper });
            }
            TokenKind::Open('[') => {
                self.block(range, menu, Place { inside: Inside::Code, ..deeper });
            }
            TokenKind::Open(_) => {
                let mut at = range.start;
                while at < range.end {
                    self.bracket(at, menu, Inside::Value, deeper);
                    at = self.parser.closes[at] + 1;
                }
            }
            _ => {}
        }
    }
}
