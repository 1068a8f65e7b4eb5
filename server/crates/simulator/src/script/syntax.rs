//! The syntax of RouterOS scripts: text to statements (routeros.md section 11).
//!
//! Pure, and knows no menu and no command. A text that does not close what it opens is refused as a
//! whole, as RouterOS refuses it.

use std::sync::Arc;

/// Brackets within brackets; a text with more is refused.
const MAX_DEPTH: usize = 64;
/// Operators of expressions, the longest first, and how tightly they bind.
const OPERATORS: [(&str, u8); 25] = [
    ("and", 2),
    ("or", 1),
    ("in", 3),
    ("&&", 2),
    ("||", 1),
    ("!=", 3),
    ("<=", 3),
    (">=", 3),
    ("<<", 6),
    (">>", 6),
    ("->", 9),
    ("=", 3),
    ("<", 3),
    (">", 3),
    ("~", 3),
    (".", 4),
    (",", 4),
    ("&", 5),
    ("|", 5),
    ("^", 5),
    ("+", 7),
    ("-", 7),
    ("*", 8),
    ("/", 8),
    ("%", 8),
];

/// One command with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// From 1.
    pub(crate) line: usize,
    /// At least one.
    pub(crate) words: Vec<Word>,
}

/// What stands between two blanks: atoms without a blank between them.
pub(crate) type Word = Vec<Atom>;

/// The least part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Atom {
    /// As it stands.
    Bare(String),
    /// What was between quotes; variables within are atoms of their own.
    Quoted(String),
    /// `$name`
    Variable(String),
    /// `[...]`
    Command(Vec<Statement>),
    /// `(...)`
    Expression(Box<Expression>),
    /// `{...}`
    Block(Arc<Block>),
}

/// What is between braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its text.
    pub(crate) source: String,
    /// The same, read.
    pub(crate) body: Vec<Statement>,
}

/// What is between parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// A value.
    Value(Word),
    /// `!x`
    Not(Box<Self>),
    /// `-x`
    Minus(Box<Self>),
    /// Two, and what is between them.
    Both(&'static str, Box<Self>, Box<Self>),
}

/// Why a text is none: the line, from 1, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) words: &'static str,
}

/// The statements of a script.
pub(crate) fn parse(text: &str) -> Result<Vec<Statement>, Mistake> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0, line: 1, depth: 0 };
    reader.statements(None)
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
    line: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn starts(&self, text: &str) -> bool {
        self.bytes[self.at..].starts_with(text.as_bytes())
    }

    fn mistake<T>(&self, words: &'static str) -> Result<T, Mistake> {
        Err(Mistake { line: self.line, words })
    }

    /// Whether a line ends here in a backslash, and so goes on in the next.
    fn continues(&self) -> bool {
        self.starts("\\\n") || self.starts("\\\r\n")
    }

    /// Passes over what goes on in the next line, with its indent; whether there was any.
    fn continuation(&mut self) -> bool {
        if !self.continues() {
            return false;
        }
        while self.next().is_some_and(|byte| byte != b'\n') {}
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.next();
        }
        true
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) || self.continues() {
            if !self.continuation() {
                self.next();
            }
        }
    }

    /// All up to this closing bracket, which is passed over; up to the end without one.
    fn statements(&mut self, close: Option<u8>) -> Result<Vec<Statement>, Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.mistake("too many brackets within brackets");
        }
        let mut out = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                None if close.is_none() => break,
                None => return self.mistake("expected closing brace"),
                Some(b'\n' | b';') => {
                    self.next();
                }
                Some(b'#') => self.comment(),
                Some(byte) if Some(byte) == close => {
                    self.next();
                    break;
                }
                Some(b'}' | b']' | b')') => return self.mistake("bad syntax, unexpected brace"),
                Some(_) => out.push(self.statement()?),
            }
        }
        self.depth -= 1;
        Ok(out)
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.next();
        }
    }

    fn statement(&mut self) -> Result<Statement, Mistake> {
        let line = self.line;
        let mut words = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                None | Some(b'\n' | b';' | b'}' | b']' | b')') => break,
                Some(b'#') => self.comment(),
                Some(_) => words.push(self.word()?),
            }
        }
        Ok(Statement { line, words })
    }

    fn word(&mut self) -> Result<Word, Mistake> {
        let mut word = Vec::new();
        let mut bare: Vec<u8> = Vec::new();
        while let Some(byte) = self.peek() {
            if self.continuation() {
                continue;
            }
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'}' | b']' | b')') {
                break;
            }
            if matches!(byte, b'"' | b'$' | b'[' | b'(' | b'{') {
                if !bare.is_empty() {
                    word.push(bare_atom(&mut bare));
                }
                self.atom(&mut word)?;
            } else {
                bare.push(byte);
                self.next();
            }
        }
        if !bare.is_empty() {
            word.push(bare_atom(&mut bare));
        }
        Ok(word)
    }

    /// What begins with a quote, a dollar or a bracket.
    fn atom(&mut self, word: &mut Word) -> Result<(), Mistake> {
        match self.next() {
            Some(b'"') => self.quoted(word),
            Some(b'[') => {
                word.push(Atom::Command(self.statements(Some(b']'))?));
                Ok(())
            }
            Some(b'(') => {
                word.push(Atom::Expression(Box::new(self.parenthesis()?)));
                Ok(())
            }
            Some(b'{') => {
                let from = self.at;
                let body = self.statements(Some(b'}'))?;
                let source = String::from_utf8_lossy(&self.bytes[from..self.at - 1]).into_owned();
                word.push(Atom::Block(Arc::new(Block { source, body })));
                Ok(())
            }
            _ => {
                word.push(self.variable());
                Ok(())
            }
        }
    }

    /// Behind the dollar.
    fn variable(&mut self) -> Atom {
        let quoted = self.peek() == Some(b'"');
        if quoted {
            self.next();
        }
        let from = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || (quoted && b != b'"'))
        {
            self.next();
        }
        let name = String::from_utf8_lossy(&self.bytes[from..self.at]).into_owned();
        if quoted {
            self.next();
        }
        if name.is_empty() { Atom::Bare("$".to_owned()) } else { Atom::Variable(name) }
    }

    /// Behind the opening quote, up to the closing one.
    fn quoted(&mut self, word: &mut Word) -> Result<(), Mistake> {
        let mut text: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                None => return self.mistake("expected closing quote"),
                Some(b'"') => {
                    self.next();
                    word.push(Atom::Quoted(lossy(&text)));
                    return Ok(());
                }
                Some(b'$') if self.at + 1 < self.bytes.len() && self.bytes[self.at + 1] != b'"' => {
                    word.push(Atom::Quoted(lossy(&std::mem::take(&mut text))));
                    self.next();
                    match self.peek() {
                        Some(b'[' | b'(') => self.atom(word)?,
                        _ => word.push(self.variable()),
                    }
                }
                // An export wraps long lines within quotes, too.
                Some(b'\\') if self.continuation() => {}
                Some(b'\\') => {
                    self.next();
                    self.escape(&mut text);
                }
                Some(byte) => {
                    self.next();
                    text.push(byte);
                }
            }
        }
    }

    /// Behind the backslash.
    fn escape(&mut self, text: &mut Vec<u8>) {
        let digit = |at: usize| {
            // RouterOS asks for capitals, so `\a` and `\b` stay what they are.
            let byte = self.bytes.get(at).filter(|b| !b.is_ascii_lowercase())?;
            u8::try_from(char::from(*byte).to_digit(16)?).ok()
        };
        if let Some((high, low)) = digit(self.at).zip(digit(self.at + 1)) {
            self.at += 2;
            text.push((high << 4) | low);
            return;
        }
        match self.next() {
            Some(b'n') => text.push(b'\n'),
            Some(b'r') => text.push(b'\r'),
            Some(b't') => text.push(b'\t'),
            Some(b'_') => text.push(b' '),
            Some(other) => text.push(other),
            None => {}
        }
    }

    /// Behind the opening parenthesis, up to the closing one.
    fn parenthesis(&mut self) -> Result<Expression, Mistake> {
        let inner = self.expression(0)?;
        self.room();
        if self.next() == Some(b')') {
            Ok(inner)
        } else {
            self.mistake("expected closing parenthesis")
        }
    }

    /// Blanks and ends of lines.
    fn room(&mut self) {
        self.blanks();
        while self.peek() == Some(b'\n') {
            self.next();
            self.blanks();
        }
    }

    fn expression(&mut self, least: u8) -> Result<Expression, Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.mistake("too many brackets within brackets");
        }
        let mut left = self.operand()?;
        loop {
            self.room();
            let Some((operator, binds)) = self.operator().filter(|(_, binds)| *binds >= least)
            else {
                break;
            };
            self.at += operator.len();
            let right = self.expression(binds + 1)?;
            left = Expression::Both(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<(&'static str, u8)> {
        let whole = |word: &str| {
            let after = self.bytes.get(self.at + word.len());
            !word.starts_with(|c: char| c.is_ascii_alphabetic())
                || after.is_none_or(|b| !b.is_ascii_alphanumeric())
        };
        OPERATORS.iter().find(|(word, _)| self.starts(word) && whole(word)).copied()
    }

    fn operand(&mut self) -> Result<Expression, Mistake> {
        self.room();
        match self.peek() {
            // 10 binds tighter than any operator.
            Some(b'!') => {
                self.next();
                Ok(Expression::Not(Box::new(self.expression(10)?)))
            }
            Some(b'-') => {
                self.next();
                Ok(Expression::Minus(Box::new(self.expression(10)?)))
            }
            Some(b'"' | b'$' | b'[' | b'(' | b'{') => {
                let mut word = Vec::new();
                self.atom(&mut word)?;
                Ok(Expression::Value(word))
            }
            Some(first) => {
                // Numbers, times, addresses; or a word.
                let digits = first.is_ascii_digit();
                let part = |b: u8| {
                    b.is_ascii_alphanumeric()
                        || b == b'_'
                        || (digits && matches!(b, b'.' | b':' | b'/'))
                };
                let from = self.at;
                while self.peek().is_some_and(part) {
                    self.next();
                }
                if self.at == from {
                    return self.mistake("bad expression");
                }
                Ok(Expression::Value(vec![Atom::Bare(lossy(&self.bytes[from..self.at]))]))
            }
            None => self.mistake("expected closing parenthesis"),
        }
    }
}

fn bare_atom(bytes: &mut Vec<u8>) -> Atom {
    Atom::Bare(lossy(&std::mem::take(bytes)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
