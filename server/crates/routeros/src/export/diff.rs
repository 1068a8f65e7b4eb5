//! How two exports differ: by line within each menu, and by word within a line.
//!
//! Lines that say the same in different menus are different lines.

use std::collections::HashMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};

use crate::lex::statements;

/// Lines of each side that are compared; what is beyond them is a gap.
const MAX_LINES: usize = 50_000;
/// Words of a line that are compared; a line of more has changed as a whole.
const MAX_WORDS: usize = 2_000;
/// Lines that are shown before and behind what changed.
const CONTEXT: usize = 3;
/// Among how many added lines the one is sought that a removed line became.
const NEAR: usize = 5;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing; it is near one that changed.
    Same,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Some of its words are others.
    Changed,
    /// Not a line: lines are left out here.
    Gap,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// As it is written, with the room around it.
    pub text: String,
    /// Whether the other side has it not.
    pub changed: bool,
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// What became of it.
    pub kind: Kind,
    /// The menu it stands in: `/ip/address`; empty for a gap.
    pub menu: String,
    /// The line before; none where it was added, and for a gap.
    pub before: Option<Vec<Piece>>,
    /// The line after; none where it was removed, and for a gap.
    pub after: Option<Vec<Piece>>,
}

/// How one normalised export became another: the lines that changed and some around them. Empty where
/// they are the same.
pub fn diff(before: &str, after: &str) -> Vec<DiffLine> {
    let compared = Compared::new(before, after);
    let last = compared.ops.len().saturating_sub(1);
    let mut lines = Vec::new();
    for (index, op) in compared.ops.iter().enumerate() {
        let (tag, old, new) = op.as_tag_tuple();
        let [old, new] = [&compared.old[old], &compared.new[new]];
        match tag {
            DiffTag::Equal => same(old, index == 0, index == last, &mut lines),
            _ => replaced(old, new, &mut lines),
        }
    }
    if compared.is_cut {
        lines.push(gap());
    }
    lines
}

/// How many lines one normalised export has that the other has not: first those that were added, then
/// those that were removed. A line that changed counts as both.
pub fn count(before: &str, after: &str) -> (usize, usize) {
    let changed = |op: &&DiffOp| op.tag() != DiffTag::Equal;
    Compared::new(before, after).ops.iter().filter(changed).fold((0, 0), |(added, removed), op| {
        (added + op.new_range().len(), removed + op.old_range().len())
    })
}

/// A line, and the menu that it stands in.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Line<'a> {
    menu: Rc<str>,
    text: &'a str,
}

struct Compared<'a> {
    old: Vec<Line<'a>>,
    new: Vec<Line<'a>>,
    ops: Vec<DiffOp>,
    /// Whether either of them has more lines than were compared.
    is_cut: bool,
}

impl<'a> Compared<'a> {
    fn new(before: &'a str, after: &'a str) -> Self {
        let (old, new) = (lines(before), lines(after));
        let mut ids: HashMap<Line<'a>, usize> = HashMap::new();
        // Comparing numbers is cheap, however long the lines are.
        let mut numbers = |lines: &[Line<'a>]| -> Vec<usize> {
            let number = |line: &Line<'a>| {
                let next = ids.len();
                *ids.entry(line.clone()).or_insert(next)
            };
            lines.iter().map(number).collect()
        };
        let ops = capture_diff_slices(Algorithm::Myers, &numbers(&old), &numbers(&new));
        let is_cut = [before, after].iter().any(|text| text.lines().nth(MAX_LINES).is_some());
        Self { old, new, ops, is_cut }
    }
}

fn lines(body: &str) -> Vec<Line<'_>> {
    let mut menu: Rc<str> = Rc::from("/");
    let mut lines = Vec::new();
    for text in body.lines().take(MAX_LINES) {
        if !text.starts_with('/') {
            lines.push(Line { menu: Rc::clone(&menu), text });
            continue;
        }
        let first = statements(text).into_iter().next();
        let own: Rc<str> = first.as_ref().map_or("/", |statement| statement.menu.as_str()).into();
        // A whole command does not change the menu of the lines behind it.
        if first.is_some_and(|statement| statement.verb.is_none()) {
            menu = Rc::clone(&own);
        }
        lines.push(Line { menu: own, text });
    }
    lines
}

fn gap() -> DiffLine {
    DiffLine { kind: Kind::Gap, menu: String::new(), before: None, after: None }
}

/// What did not change, as far as it is near to what did.
fn same(lines: &[Line<'_>], is_first: bool, is_last: bool, out: &mut Vec<DiffLine>) {
    if is_first && is_last {
        return;
    }
    let behind = if is_first { 0 } else { CONTEXT.min(lines.len()) };
    let before = if is_last { 0 } else { CONTEXT.min(lines.len() - behind) };
    let show = |line: &Line<'_>| {
        let pieces = whole(line.text, false);
        let menu = line.menu.to_string();
        DiffLine { kind: Kind::Same, menu, before: Some(pieces.clone()), after: Some(pieces) }
    };
    out.extend(lines[..behind].iter().map(show));
    if behind + before < lines.len() {
        out.push(gap());
    }
    out.extend(lines[lines.len() - before..].iter().map(show));
}

/// What came in place of what: each removed line is shown with the added one that is most like it.
fn replaced(old: &[Line<'_>], new: &[Line<'_>], out: &mut Vec<DiffLine>) {
    let added = |line: &Line<'_>| DiffLine {
        kind: Kind::Added,
        menu: line.menu.to_string(),
        before: None,
        after: Some(whole(line.text, true)),
    };
    let mut rest = new;
    for line in old {
        let near =
            rest.iter().take(NEAR).enumerate().map(|(at, other)| (likeness(line, other), at));
        // Of those that are equally like it, the first.
        let best = near.max_by_key(|(likeness, at)| (*likeness, NEAR - at));
        match best.filter(|(likeness, _)| *likeness > 0) {
            Some((_, at)) => {
                out.extend(rest[..at].iter().map(added));
                out.push(changed(line, &rest[at]));
                rest = &rest[at + 1..];
            }
            None => out.push(DiffLine {
                kind: Kind::Removed,
                menu: line.menu.to_string(),
                before: Some(whole(line.text, true)),
                after: None,
            }),
        }
    }
    out.extend(rest.iter().map(added));
}

/// How much two lines have in common, of 100; 0 where that is too little for one to be the other.
fn likeness(one: &Line<'_>, other: &Line<'_>) -> usize {
    if one.menu != other.menu {
        return 0;
    }
    let (ours, theirs) = (words(one.text), words(other.text));
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in ours.iter().filter(|word| !is_room(word)) {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0;
    for word in theirs.iter().filter(|word| !is_room(word)) {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    let total = ours.iter().chain(&theirs).filter(|word| !is_room(word)).count();
    let likeness = 200 * shared / total.max(1);
    if likeness >= 60 { likeness } else { 0 }
}

/// A line that became another.
fn changed(old: &Line<'_>, new: &Line<'_>) -> DiffLine {
    let (before, after) = (words(old.text), words(new.text));
    let (before, after) = if before.len().max(after.len()) > MAX_WORDS {
        (whole(old.text, true), whole(new.text, true))
    } else {
        let ops = capture_diff_slices(Algorithm::Myers, &before, &after);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (tag, olds, news) in ops.iter().map(DiffOp::as_tag_tuple) {
            push(&mut old, &before[olds], tag != DiffTag::Equal);
            push(&mut new, &after[news], tag != DiffTag::Equal);
        }
        (old, new)
    };
    let menu = new.menu.to_string();
    DiffLine { kind: Kind::Changed, menu, before: Some(before), after: Some(after) }
}

fn push(pieces: &mut Vec<Piece>, words: &[&str], changed: bool) {
    if words.is_empty() {
        return;
    }
    let text = words.concat();
    match pieces.last_mut().filter(|piece| piece.changed == changed) {
        Some(piece) => piece.text.push_str(&text),
        None => pieces.push(Piece { text, changed }),
    }
}

fn whole(text: &str, changed: bool) -> Vec<Piece> {
    vec![Piece { text: text.to_owned(), changed }]
}

fn is_room(word: &str) -> bool {
    word.starts_with(' ')
}

/// The words of a line and the room between them; a name with its `=` is apart from its value.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in line.char_indices() {
        let is_edge = match before {
            None => false,
            Some('=') => true,
            Some(before) => (before == ' ') != (c == ' '),
        };
        if is_edge {
            words.push(&line[start..at]);
            start = at;
            if words.len() > MAX_WORDS {
                break;
            }
        }
        before = Some(c);
    }
    if start < line.len() {
        words.push(&line[start..]);
    }
    words
}

#[cfg(test)]
mod tests;
