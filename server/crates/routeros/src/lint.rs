//! What is wrong with a script, or looks wrong, before it is sent to a board.
//!
//! Owns the findings and their codes. An error is what RouterOS refuses or what cannot be meant; a
//! warning is for a person to judge. A script without findings may still fail: only a board knows.

mod first;
mod statement;

use serde::Serialize;

use crate::lex::{Fault, Token, TokenKind, lex, walk};
use crate::secret::tells;
pub use first::lint_first;
use statement::Statements;

/// Bytes of a script beyond which boards may have trouble with it.
pub const MAX_SCRIPT: usize = 65_535;
/// Findings of each severity that are kept.
const MAX_FINDINGS: usize = 200;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The script must not be sent.
    Error,
    /// Somebody should look at it.
    Warning,
}

/// Something wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// How bad it is.
    pub severity: Severity,
    /// Which check found it: `quotes`, `brackets`, `backslash`, `spaces`, `ascii`, `cr`, `size`,
    /// `menu`, `command`, `dangerous`, `hidden`, `global`, `numbers`, `secret`, `delay`, `multiline`; of a first
    /// script `wait`, `delay`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub words: String,
}

/// What is wrong with a script, by line.
pub fn lint(script: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    bytes(script, &mut findings);
    let tokens = lex(script);
    for token in &tokens {
        check(token, script, &mut findings);
    }
    spaces(&tokens, script, &mut findings);
    let mut statements = Statements::default();
    walk(script, &tokens, "/", &mut |visit| statements.check(visit, &mut findings));
    findings.sorted()
}

/// What was found until now.
#[derive(Default)]
struct Findings {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Findings {
    fn error(&mut self, line: usize, code: &'static str, words: impl Into<String>) {
        self.push(Finding { line, severity: Severity::Error, code, words: words.into() });
    }

    fn warning(&mut self, line: usize, code: &'static str, words: impl Into<String>) {
        self.push(Finding { line, severity: Severity::Warning, code, words: words.into() });
    }

    fn push(&mut self, finding: Finding) {
        let of = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if of.len() < MAX_FINDINGS {
            of.push(finding);
        }
    }

    fn sorted(self) -> Vec<Finding> {
        let mut all = [self.errors, self.warnings].concat();
        all.sort_by_key(|finding| (finding.line, finding.severity));
        all
    }
}

/// What a script is made of, before it is read as a script.
fn bytes(script: &str, findings: &mut Findings) {
    if script.len() > MAX_SCRIPT {
        let words = format!("{} bytes: more than {MAX_SCRIPT} may not fit", script.len());
        findings.warning(1, "size", words);
    }
    let mut has_cr = false;
    for (index, line) in script.split('\n').enumerate() {
        if line.contains('\r') && !has_cr {
            has_cr = true;
            findings.warning(
                index + 1,
                "cr",
                "a carriage return: end lines with a line feed alone",
            );
        }
        let is_odd = |c: &char| !c.is_ascii() || (c.is_ascii_control() && !"\r\t".contains(*c));
        if let Some(odd) = line.chars().find(is_odd) {
            let words = format!("{odd:?} is not plain ASCII: write it as \\XX in a string");
            findings.error(index + 1, "ascii", words);
        }
    }
}

/// What is wrong with a token alone.
fn check(token: &Token, script: &str, findings: &mut Findings) {
    let text = token.text(script);
    let line = token.line;
    match &token.kind {
        TokenKind::Error(Fault::UnclosedString) => {
            findings.error(line, "quotes", "a string begins here and has no end");
        }
        TokenKind::Error(Fault::Unclosed) => {
            findings.error(line, "brackets", format!("`{text}` is not closed"));
        }
        TokenKind::Error(Fault::Stray) => {
            findings.error(line, "brackets", format!("`{text}` closes nothing"));
        }
        TokenKind::Error(Fault::Backslash) => {
            let words = "a backslash outside of a string, and not at the end of its line";
            findings.warning(line, "backslash", words);
        }
        TokenKind::Error(Fault::TooLong) => {
            findings.error(line, "size", "from here on the script was not read: it is too long");
        }
        TokenKind::Comment if tells(text) => {
            findings.warning(line, "secret", "a secret in a comment, it seems: leave it out");
        }
        TokenKind::String(value) if value.contains(['\n', '\r']) && text.contains(['\n', '\r']) => {
            let words = "a string over several lines: if that is meant, write \\n in it";
            findings.warning(line, "multiline", words);
        }
        _ => {}
    }
}

/// Room around a `=` that gives an argument its value. Where things are compared it may stand: in
/// `(..)`, and behind `find` and `where`.
fn spaces(tokens: &[Token], script: &str, findings: &mut Findings) {
    // For each bracket that is open: whether all in it is compared, and whether this is.
    let mut levels = vec![(false, false)];
    for (at, token) in tokens.iter().enumerate() {
        let last = levels.len() - 1;
        match token.kind {
            TokenKind::Open(bracket) => levels.push((bracket == '(', bracket == '(')),
            TokenKind::Close(_) if last > 0 => {
                levels.pop();
            }
            TokenKind::Separator => levels[last].1 = levels[last].0,
            // The command may stand behind its menu in one word: `/ip/route/find`.
            TokenKind::Word
                if matches!(token.text(script).rsplit('/').next(), Some("find" | "where")) =>
            {
                levels[last].1 = true;
            }
            TokenKind::Operator
                if token.text(script) == "=" && !levels[last].1 && has_room(tokens, at, script) =>
            {
                findings.error(token.line, "spaces", "room around `=`: write `name=value`");
            }
            _ => {}
        }
    }
}

/// Whether this `=` has room before it, or between it and a value.
fn has_room(tokens: &[Token], at: usize, script: &str) -> bool {
    let token = &tokens[at];
    let before = at.checked_sub(1).map(|at| &tokens[at]);
    let is_after_room =
        before.is_some_and(|before| before.kind == TokenKind::Word && before.end < token.start);
    let is_name = |at: usize| tokens.get(at + 1).is_some_and(|token| token.text(script) == "=");
    let is_before_room = tokens.get(at + 1).is_some_and(|next| match next.kind {
        TokenKind::Separator
        | TokenKind::Close(_)
        | TokenKind::Comment
        | TokenKind::Continuation
        | TokenKind::Operator => false,
        // An empty value, and the next argument.
        TokenKind::Word if is_name(at + 1) => false,
        _ => next.start > token.end,
    });
    is_after_room || is_before_room
}

#[cfg(test)]
mod tests;
