//! How two exports differ: by line within each menu, and by word within a line.
//!
//! Lines that say the same in different menus are different lines. What both begin and end with is
//! passed over, however much it is, so that only what lies between can be too much.

use std::collections::HashMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};

use crate::lex::statements;

/// Lines of each side that are compared, from the first one that differs to the last.
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
/// they are the same. Where [`is_cut`], what is beyond is left out.
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

/// Whether so much lies between the first line that differs and the last one that not all of it is
/// compared.
pub fn is_cut(before: &str, after: &str) -> bool {
    Middle::of(before, after).is_cut
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
}

/// What may differ, with some lines around it that do not.
struct Middle<'a> {
    before: &'a str,
    after: &'a str,
    /// That of the line before both.
    menu: Rc<str>,
    /// Whether either of them has more lines than are compared.
    is_cut: bool,
}

impl<'a> Middle<'a> {
    fn of(before: &'a str, after: &'a str) -> Self {
        let start = length(split(before).zip(split(after)).take_while(is_same));
        let (old, new) = (&before[start..], &after[start..]);
        let end = length(split(old).rev().zip(split(new).rev()).take_while(is_same));
        let end = settled(before, after, end);
        let cuts = |text: &str| text[..text.len() - end].lines().nth(MAX_LINES).is_some();
        let is_cut = cuts(old) || cuts(new);
        let start = start - near(split(&before[..start]).rev());
        // Of two that are cut off somewhere neither has its end.
        let shown = if is_cut { 0 } else { near(split(&before[before.len() - end..])) };
        let middle = |text: &'a str| &text[start..text.len() - end + shown];
        let menu = menu_behind(&before[..start]);
        Self { before: middle(before), after: middle(after), menu, is_cut }
    }
}

fn split(text: &str) -> std::str::SplitInclusive<'_, char> {
    text.split_inclusive('\n')
}

fn is_same(pair: &(&str, &str)) -> bool {
    pair.0 == pair.1
}

/// How long lines are that are the same in both.
fn length<'a>(lines: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    lines.map(|(line, _)| line.len()).sum()
}

/// How long those are that stand next to what may differ; one more than is shown tells that lines are
/// left out.
fn near<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    lines.take(CONTEXT + 1).map(str::len).sum()
}

/// How much of an end that is written the same, in bytes, is in the same menus as well.
fn settled(before: &str, after: &str, end: usize) -> usize {
    let (starts, common) = before.split_at(before.len() - end);
    if menu_behind(starts) == menu_behind(&after[..after.len() - end]) {
        return end;
    }
    let is_below = |line: &&str| own_menu(line).is_none_or(|(_, opens)| !opens);
    end - split(common).take_while(is_below).map(str::len).sum::<usize>()
}

/// The menu of what follows a text.
fn menu_behind(text: &str) -> Rc<str> {
    let said = split(text).rev().filter_map(own_menu).find(|(_, opens)| *opens);
    said.map_or_else(|| Rc::from("/"), |(menu, _)| menu)
}

/// The menu that a line says itself, and whether those behind it are in it: a whole command does not
/// change theirs.
fn own_menu(line: &str) -> Option<(Rc<str>, bool)> {
    let line = line.starts_with('/').then(|| line.trim_end_matches(['\r', '\n']))?;
    let first = statements(line).into_iter().next();
    let menu = first.as_ref().map_or("/", |statement| statement.menu.as_str()).into();
    Some((menu, first.is_some_and(|statement| statement.verb.is_none())))
}

impl<'a> Compared<'a> {
    fn new(before: &'a str, after: &'a str) -> Self {
        let Middle { before, after, menu, .. } = Middle::of(before, after);
        let (old, new) = (lines(before, &menu), lines(after, &menu));
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
        Self { old, new, ops }
    }
}

fn lines<'a>(body: &'a str, menu: &Rc<str>) -> Vec<Line<'a>> {
    let mut menu = Rc::clone(menu);
    let mut lines = Vec::new();
    for text in body.lines().take(MAX_LINES + 2 * (CONTEXT + 1)) {
        let Some((own, opens)) = own_menu(text) else {
            lines.push(Line { menu: Rc::clone(&menu), text });
            continue;
        };
        if opens {
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
