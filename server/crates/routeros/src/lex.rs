//! RouterOS scripts as tokens and as statements.
//!
//! Owns where a string, a comment, a bracket and a statement begin and end. It reads anything and
//! never runs anything: what cannot be right is an error token, and reading goes on behind it.

mod statement;
mod walk;

use crate::quote::unescape;

pub(crate) use statement::closes;
pub use statement::{Statement, statements, statements_under};
pub(crate) use walk::{Inside, MAX_DEPTH, Visit, is_unseen, walk};

/// Bytes that are read; what is beyond them is one error token.
pub const MAX_TEXT: usize = 1024 * 1024;

/// A part of a script. Blanks are in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last one.
    pub end: usize,
    /// The line it begins on; the first one is 1.
    pub line: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A name, a number, an address, a path, `:if` ...: whatever has no other meaning.
    Word,
    /// A constant in double quotes; its text, unescaped.
    String(String),
    /// A text in double quotes that has variables or commands in it: `"$a-$[get b]"`.
    Interpolated,
    /// `$name`; the name, which is empty where `$` stands alone.
    Variable(String),
    /// `(`, `[` or `{`, which is closed again.
    Open(char),
    /// `)`, `]` or `}` of the last one that is open.
    Close(char),
    /// `=`, `!=`, `~`, `->` ...
    Operator,
    /// `#` and the rest of its line.
    Comment,
    /// `;` or the end of a line.
    Separator,
    /// A backslash at the end of a line, and that end: the statement goes on.
    Continuation,
    /// What cannot be right.
    Error(Fault),
}

/// Why a token cannot be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A string without an end; it takes the rest of the text.
    UnclosedString,
    /// A bracket that is not closed, or not by one of its kind.
    Unclosed,
    /// A bracket that closes nothing.
    Stray,
    /// A backslash outside of a string that no line ends behind.
    Backslash,
    /// Beyond [`MAX_TEXT`].
    TooLong,
}

impl Token {
    /// As it stands in the script that it was read from.
    pub fn text<'a>(&self, script: &'a str) -> &'a str {
        &script[self.start..self.end]
    }
}

/// The tokens of a script, in order.
pub fn lex(script: &str) -> Vec<Token> {
    let read = script.floor_char_boundary(MAX_TEXT);
    let mut scanner = Scanner {
        script: &script[..read],
        at: 0,
        line: 1,
        open: Vec::new(),
        opened: [0; 3],
        tokens: Vec::new(),
    };
    scanner.run();
    let Scanner { open, mut tokens, line, .. } = scanner;
    for (token, _) in open {
        tokens[token].kind = TokenKind::Error(Fault::Unclosed);
    }
    if read < script.len() {
        let kind = TokenKind::Error(Fault::TooLong);
        tokens.push(Token { kind, start: read, end: script.len(), line });
    }
    tokens
}

struct Scanner<'a> {
    script: &'a str,
    at: usize,
    line: usize,
    /// The tokens of the brackets that are open, and which of the three kinds each is.
    open: Vec<(usize, usize)>,
    /// How many of each kind are open.
    opened: [usize; 3],
    tokens: Vec<Token>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.rest().first().copied() {
            let start = self.at;
            if matches!(byte, b' ' | b'\t') {
                self.at += 1;
                continue;
            }
            let kind = self.token(byte);
            self.tokens.push(Token { kind, start, end: self.at, line: self.line });
            self.line += line_ends(&self.script.as_bytes()[start..self.at]);
        }
    }

    fn rest(&self) -> &[u8] {
        &self.script.as_bytes()[self.at..]
    }

    /// Reads past the token that begins with this byte.
    fn token(&mut self, byte: u8) -> TokenKind {
        match byte {
            b'"' => self.string(),
            b'$' => self.variable(),
            b'\\' => self.backslash(),
            b'#' if self.may_comment() => {
                let rest = self.rest().iter();
                self.at += rest.take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
                TokenKind::Comment
            }
            b'(' | b'[' | b'{' => {
                self.open.push((self.tokens.len(), bracket(byte)));
                self.opened[bracket(byte)] += 1;
                self.at += 1;
                TokenKind::Open(char::from(byte))
            }
            b')' | b']' | b'}' => self.close(byte),
            b';' | b'\n' | b'\r' => {
                self.at += line_end(self.rest()).max(1);
                TokenKind::Separator
            }
            _ => match operator(self.rest()) {
                0 => self.word(),
                length => {
                    self.at += length;
                    TokenKind::Operator
                }
            },
        }
    }

    /// Whether a `#` here begins a comment: one within a word does not.
    fn may_comment(&self) -> bool {
        let before = self.script.as_bytes()[..self.at].last();
        before.is_none_or(|byte| b" \t\r\n;()[]{}".contains(byte))
    }

    fn word(&mut self) -> TokenKind {
        let rest = self.rest();
        let ends = |at: &usize| ends_word(rest[*at]) || operator(&rest[*at..]) > 0;
        let length = (1..rest.len()).find(ends).unwrap_or(rest.len());
        self.at += length;
        TokenKind::Word
    }

    /// Reads a string with what is embedded in it, `$[..]` and `$(..)`, where strings may stand again.
    fn string(&mut self) -> TokenKind {
        let bytes = self.script.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut is_constant = true;
        // What is open, the string itself first.
        let mut open = vec![b'"'];
        while let Some(&byte) = bytes.get(at) {
            let in_text = open.last() == Some(&b'"');
            at += 1;
            match byte {
                b'\\' => at += 1,
                b'"' if in_text => {
                    open.pop();
                }
                b'$' if in_text => {
                    is_constant = false;
                    if let Some(&byte @ (b'[' | b'(')) = bytes.get(at) {
                        open.push(byte);
                        at += 1;
                    }
                }
                _ if in_text => {}
                b'"' | b'(' | b'[' | b'{' => open.push(byte),
                b')' | b']' | b'}' if open.pop().map(bracket) != Some(bracket(byte)) => break,
                _ => {}
            }
            if open.is_empty() {
                self.at = at;
                let text = &self.script[start..at - 1];
                return match is_constant {
                    true => TokenKind::String(unescape(text)),
                    false => TokenKind::Interpolated,
                };
            }
        }
        self.at = bytes.len();
        TokenKind::Error(Fault::UnclosedString)
    }

    fn variable(&mut self) -> TokenKind {
        self.at += 1;
        if self.rest().first() == Some(&b'"') {
            return match self.string() {
                TokenKind::String(name) => TokenKind::Variable(name),
                other => other,
            };
        }
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let start = self.at;
        self.at += self.rest().iter().take_while(is_name).count();
        TokenKind::Variable(self.script[start..self.at].to_owned())
    }

    fn backslash(&mut self) -> TokenKind {
        self.at += 1;
        match line_end(self.rest()) {
            0 => TokenKind::Error(Fault::Backslash),
            length => {
                self.at += length;
                TokenKind::Continuation
            }
        }
    }

    fn close(&mut self, byte: u8) -> TokenKind {
        self.at += 1;
        let kind = bracket(byte);
        if self.opened[kind] == 0 {
            return TokenKind::Error(Fault::Stray);
        }
        while let Some((token, opened)) = self.open.pop() {
            self.opened[opened] -= 1;
            if opened == kind {
                break;
            }
            self.tokens[token].kind = TokenKind::Error(Fault::Unclosed);
        }
        TokenKind::Close(char::from(byte))
    }
}

/// Which of the three kinds of brackets this is.
fn bracket(byte: u8) -> usize {
    match byte {
        b'(' | b')' => 0,
        b'[' | b']' => 1,
        _ => 2,
    }
}

fn ends_word(byte: u8) -> bool {
    b" \t\r\n;()[]{}\"$\\".contains(&byte)
}

/// The length of the operator that this begins with; 0 = it is none.
fn operator(bytes: &[u8]) -> usize {
    match *bytes {
        [b'!' | b'<' | b'>', b'=', ..] | [b'-', b'>', ..] => 2,
        [b'&', b'&', ..] | [b'|', b'|', ..] | [b'<', b'<', ..] | [b'>', b'>', ..] => 2,
        [b'=' | b'!' | b'<' | b'>' | b'~' | b'&' | b'|' | b'^', ..] => 1,
        _ => 0,
    }
}

/// The length of the end of a line that this begins with; 0 = there is none.
fn line_end(bytes: &[u8]) -> usize {
    match *bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// How many lines end in this.
fn line_ends(bytes: &[u8]) -> usize {
    let ends = |at: &usize| match bytes[*at] {
        b'\n' => true,
        // With a line feed behind it, that one counts.
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    (0..bytes.len()).filter(ends).count()
}

#[cfg(test)]
mod tests;
