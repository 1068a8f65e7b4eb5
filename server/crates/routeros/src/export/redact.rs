//! An export, or a script, without the secrets in it.
//!
//! Owns that no secret is left: by the names that [`crate::secret`] knows, in whichever way a value is
//! written, and in the scripts that stand in strings. Where a text cannot be read for certain, more of
//! it is hidden rather than less. Each line is read for itself, so that one that is odd does not make
//! the others look like something else.

use std::ops::Range;

use crate::lex::{Fault, MAX_TEXT, Token, TokenKind, closes, lex};
use crate::menus::{is_command, is_menu};
use crate::quote::quote;
use crate::secret::{ASSIGNS, is_secret_in, is_secret_variable, tells};

/// What stands in place of a secret, between quotes.
pub const HIDDEN: &str = "********";
/// How deep scripts may stand in the strings of scripts; what is deeper is hidden.
const MAX_DEPTH: usize = 3;
/// Brackets that are open at once whose menus are kept apart.
const MAX_FRAMES: usize = 64;
/// Bytes of a menu that matter: those that are named in the list are shorter.
const MAX_MENU: usize = 128;
/// What ends the part of an address that names the host, and who opens it.
const BEHIND_HOST: [char; 7] = ['/', '?', '"', ' ', '\t', '\r', '\n'];

/// The text with `"********"` in place of each value that is a secret. What it says apart from that
/// is as it was; a text that has been redacted stays the same.
pub fn redact(body: &str) -> String {
    redacted(body, 0)
}

fn redacted(body: &str, depth: usize) -> String {
    let mut redactor = Redactor {
        menu: "/".to_owned(),
        is_open: false,
        depth,
        out: String::with_capacity(body.len()),
    };
    let mut rest = body;
    while !rest.is_empty() {
        let (line, next) = rest.split_at(logical_line(rest));
        redactor.line(line);
        rest = next;
    }
    redactor.out
}

/// How long the first line is, with those that it goes on in, and with the end of the last one.
fn logical_line(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        let said = line.trim_end_matches(['\n', '\r']);
        let slashes = said.len() - said.trim_end_matches('\\').len();
        let is_comment = length == line.len() && said.trim_start().starts_with('#');
        if slashes.is_multiple_of(2) || is_comment {
            break;
        }
    }
    length
}

struct Redactor {
    /// The menu of the lines behind the last one that was only a menu.
    menu: String,
    /// Whether a secret began on a line before this and has not ended.
    is_open: bool,
    depth: usize,
    out: String,
}

/// Where a bracket stands, or the text itself.
#[derive(Clone)]
struct Frame {
    /// The menu that its statements begin in.
    base: String,
    /// That of the statement that is read.
    own: String,
}

impl Redactor {
    fn line(&mut self, line: &str) {
        let said = line.trim_end_matches(['\n', '\r']);
        if self.is_open || said.len() > MAX_TEXT {
            self.is_open &= !has_quote(said);
            self.out.push_str(HIDDEN);
        } else {
            let start = self.out.len();
            let mut at = 0;
            for (range, instead) in self.secrets(said) {
                self.out.push_str(&said[at..range.start]);
                self.out.push_str(&instead);
                at = range.end;
            }
            self.out.push_str(&said[at..]);
            let shown = without_users(&self.out[start..]);
            self.out.truncate(start);
            // Whatever was overlooked, as a line with odd quotes may hide it.
            self.out.push_str(if tells(&shown) { HIDDEN } else { shown.as_str() });
        }
        self.out.push_str(&line[said.len()..]);
    }

    /// What is to be replaced in a line, in order, and by what.
    fn secrets(&mut self, line: &str) -> Vec<(Range<usize>, String)> {
        let tokens = lex(line);
        let closes = closes(&tokens);
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text(line));
        let mut menus = Menus::new(&self.menu);
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            menus.read(&tokens, at, line);
            let value = match &tokens[at].kind {
                TokenKind::Word | TokenKind::Variable(_) => {
                    let name = text(at).trim_start_matches('$');
                    let next = past_breaks(&tokens, at + 1);
                    let is_argument =
                        tokens.get(next).is_some_and(|token| token.kind == TokenKind::Operator);
                    let is_secret = is_argument && menus.hold(name, &self.menu);
                    let variable = text(next).trim_matches('"');
                    let is_kept = ASSIGNS.contains(&text(at)) && is_secret_variable(variable);
                    match is_secret || is_kept {
                        true => value(&tokens, &closes, next, line),
                        false => None,
                    }
                }
                _ => None,
            };
            if let Some(tokens_of) = value {
                let own = &tokens[tokens_of.clone()];
                self.is_open = own.iter().any(is_unclosed_string);
                let range = own[0].start..own[own.len() - 1].end;
                found.push((range, format!("\"{HIDDEN}\"")));
                // What follows it begins where brackets within it ended.
                at = tokens_of.end;
                continue;
            }
            if let Some(instead) = self.inner(&tokens[at], line) {
                found.push((tokens[at].start..tokens[at].end, instead));
            }
            at += 1;
        }
        if let Some(menu) = carried(&tokens, line, &menus) {
            self.menu = menu;
        }
        found
    }

    /// What a token is to be replaced by that has secrets within it.
    fn inner(&self, token: &Token, line: &str) -> Option<String> {
        match &token.kind {
            TokenKind::String(text) => {
                if self.depth >= MAX_DEPTH {
                    return tells(text).then(|| quote(HIDDEN));
                }
                let inner = redacted(text, self.depth + 1);
                match tells(&inner) {
                    true => Some(quote(HIDDEN)),
                    false => (inner != *text).then(|| quote(&inner)),
                }
            }
            // Taking it apart is not worth it: it comes from no export.
            TokenKind::Interpolated | TokenKind::Error(Fault::UnclosedString) => {
                tells(token.text(line)).then(|| quote(HIDDEN))
            }
            TokenKind::Comment => tells(token.text(line)).then(|| format!("# {HIDDEN}")),
            _ => None,
        }
    }
}

/// Without the user and the password in the addresses: `ftp://********@host`.
fn without_users(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (scheme, behind) = rest.split_at(at + 3);
        let end = behind.find(BEHIND_HOST).unwrap_or(behind.len());
        let user = behind[..end].rfind('@').unwrap_or(0);
        shown.push_str(scheme);
        shown.push_str(if user > 0 { HIDDEN } else { "" });
        rest = &behind[user..];
    }
    shown + rest
}

/// Whether a string that began before this ends in it.
fn has_quote(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return true,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    false
}

fn is_unclosed_string(token: &Token) -> bool {
    token.kind == TokenKind::Error(Fault::UnclosedString)
}

/// The first token from here that does not only break a line.
fn past_breaks(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| token.kind == TokenKind::Continuation) {
        at += 1;
    }
    at
}

/// The tokens of the value behind this one: as far as nothing but brackets has room in it, and to the
/// end where something in it cannot be right. Room before it is left aside, but for the name of
/// another argument.
fn value(tokens: &[Token], closes: &[usize], before: usize, line: &str) -> Option<Range<usize>> {
    let mut first = past_breaks(tokens, before + 1);
    // `!=` and `==`.
    while tokens.get(first).is_some_and(|token| token.kind == TokenKind::Operator) {
        first = past_breaks(tokens, first + 1);
    }
    let token = tokens.get(first)?;
    let next = tokens.get(past_breaks(tokens, first + 1));
    let is_name = token.kind == TokenKind::Word && next.is_some_and(|next| next.text(line) == "=");
    let has_room =
        tokens[first - 1].end != token.start && tokens[first - 1].kind != TokenKind::Continuation;
    let is_none =
        matches!(token.kind, TokenKind::Separator | TokenKind::Close(_) | TokenKind::Comment);
    if is_none || (is_name && has_room) {
        return None;
    }
    let mut end = closes[first] + 1;
    while let Some(token) = tokens.get(end) {
        let last = &tokens[end - 1];
        let is_near = last.kind == TokenKind::Continuation || last.end == token.start;
        let is_over = matches!(token.kind, TokenKind::Separator | TokenKind::Close(_));
        if !is_near || is_over {
            break;
        }
        end = closes[end] + 1;
    }
    let is_odd = tokens[first..end].iter().any(|token| matches!(token.kind, TokenKind::Error(_)));
    Some(first..if is_odd { tokens.len() } else { end })
}

/// The menu of the lines behind this one, where it is only a menu or opens a block behind one.
fn carried(tokens: &[Token], line: &str, menus: &Menus) -> Option<String> {
    let first = tokens.first().filter(|token| token.text(line).starts_with('/'))?;
    let words = tokens.iter().take_while(|token| token.kind == TokenKind::Word);
    let count = words.clone().count();
    let has_command = words.flat_map(|word| word.text(line).split('/')).any(is_command);
    let is_alone = tokens.get(count).is_none_or(|token| {
        let is_block = token.text(line) == "{";
        is_block || matches!(token.kind, TokenKind::Separator | TokenKind::Comment)
    });
    let is_path = is_alone && (is_menu(&menus.first) || !has_command);
    (first.kind == TokenKind::Word && is_path).then(|| menus.first.clone())
}

/// The menus of what is read, one for each bracket that is open.
struct Menus {
    frames: Vec<Frame>,
    /// Brackets that are open beyond those.
    more: usize,
    /// Whether a statement begins, and its menu goes on.
    is_path: bool,
    /// The menu of the first statement.
    first: String,
    is_first: bool,
}

impl Menus {
    fn new(menu: &str) -> Self {
        let frame = Frame { base: menu.to_owned(), own: menu.to_owned() };
        Self { frames: vec![frame], more: 0, is_path: true, first: menu.to_owned(), is_first: true }
    }

    /// Whether a parameter of this name is secret here, or in the menu of the lines around.
    fn hold(&self, name: &str, carried: &str) -> bool {
        let frame = self.frames.last();
        let near = frame.into_iter().flat_map(|frame| [frame.own.as_str(), frame.base.as_str()]);
        near.chain([carried]).any(|menu| is_secret_in(menu, name))
    }

    fn read(&mut self, tokens: &[Token], at: usize, line: &str) {
        let token = &tokens[at];
        match token.kind {
            TokenKind::Separator => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.own.clone_from(&frame.base);
                }
                self.is_path = true;
                self.is_first = false;
            }
            TokenKind::Open(_) | TokenKind::Error(Fault::Unclosed) => self.open(),
            TokenKind::Close(_) | TokenKind::Error(Fault::Stray) => self.close(),
            TokenKind::Word if self.is_path => self.word(token.text(line)),
            TokenKind::Continuation | TokenKind::Comment => {}
            _ => self.is_path = false,
        }
    }

    fn open(&mut self) {
        match self.frames.last().cloned() {
            Some(frame) if self.frames.len() < MAX_FRAMES => {
                self.frames.push(Frame { base: frame.own.clone(), own: frame.own });
            }
            _ => self.more += 1,
        }
        self.is_path = true;
    }

    fn close(&mut self) {
        if self.more > 0 {
            self.more -= 1;
        } else if self.frames.len() > 1 {
            self.frames.pop();
        }
        self.is_path = false;
    }

    /// A word of a path: those behind a command are taken for menus as well, which hides no less.
    fn word(&mut self, word: &str) {
        let is_outer = self.frames.len() == 1;
        let Some(frame) = self.frames.last_mut() else { return };
        if word.starts_with(':') {
            return;
        }
        if word.starts_with('/') && frame.own == frame.base {
            frame.own.clear();
        }
        for step in word.split('/').filter(|step| !step.is_empty()) {
            if frame.own.len() + step.len() < MAX_MENU {
                frame.own.truncate(frame.own.trim_end_matches('/').len());
                frame.own.push('/');
                frame.own.push_str(step);
            }
        }
        if frame.own.is_empty() {
            frame.own.push('/');
        }
        if is_outer && self.is_first {
            self.first.clone_from(&frame.own);
        }
    }
}

#[cfg(test)]
mod tests;
