//! Carries out a script on a board.
//!
//! Owns variables, calls and values; the commands are [`super::commands`]'s and [`super::menu`]'s.
//! Every script ends: it may take only so many steps, as RouterOS gives it only so much time. Delays
//! take none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::syntax::{self, Atom, Block, Expression, Statement, Word};
use super::value::{Value, both, items};
use crate::board::Board;

/// Commands and turns of loops in one script.
const MAX_STEPS: u32 = 20_000;
/// Blocks within blocks and calls within calls.
const MAX_DEPTH: u32 = 60;
/// Characters of a value, and parts of a list.
const MAX_VALUE: usize = 256 * 1024;

/// Why a statement gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// It failed, in words; `on-error` catches it.
    Fault(String),
    /// `:return`
    Return(Value),
    /// `:quit`
    Quit,
}

pub(super) type Flow<T = Value> = Result<T, Stop>;

pub(super) fn fault<T>(words: impl Into<String>) -> Flow<T> {
    Err(Stop::Fault(words.into()))
}

/// A script under way.
pub(super) struct Run<'r, 'd> {
    pub(super) board: &'r mut Board<'d>,
    /// Where relative menus begin.
    pub(super) menu: Vec<String>,
    scopes: Vec<BTreeMap<String, Value>>,
    globals: BTreeMap<String, Value>,
    steps: u32,
    depth: u32,
}

/// Runs a script; why it ended before its end.
pub(crate) fn run(text: &str, board: &mut Board<'_>) -> Result<(), String> {
    let statements = read(text, board)?;
    let mut run = Run {
        board,
        menu: Vec::new(),
        scopes: Vec::new(),
        globals: BTreeMap::new(),
        steps: 0,
        depth: 0,
    };
    match run.block(&statements, BTreeMap::new()) {
        Ok(_) | Err(Stop::Quit | Stop::Return(_)) => Ok(()),
        Err(Stop::Fault(words)) => Err(words),
    }
}

/// The statements of a text. One that names a menu that the board lacks is refused as a whole, as by
/// RouterOS; but what is in a string counts only when it is parsed.
fn read(text: &str, board: &Board<'_>) -> Result<Vec<Statement>, String> {
    let statements =
        syntax::parse(text).map_err(|m| format!("syntax error: {} (line {})", m.words, m.line))?;
    match statements.iter().find_map(|statement| missing(statement, board)) {
        Some((menu, line)) => Err(format!("bad command name {menu} (line {line})")),
        None => Ok(statements),
    }
}

/// A menu that the statement names and the board lacks, and the line of it.
fn missing(statement: &Statement, board: &Board<'_>) -> Option<(String, usize)> {
    let mut menu = String::new();
    for word in &statement.words {
        match word.as_slice() {
            [Atom::Bare(text)] if !text.contains('=') => {
                for step in text.split('/').filter(|step| !step.is_empty()) {
                    menu.push('/');
                    menu.push_str(step);
                }
            }
            _ => break,
        }
    }
    let absolute =
        matches!(statement.words[0].first(), Some(Atom::Bare(text)) if text.starts_with('/'));
    if absolute && board.air.path(&menu).is_none() {
        return Some((menu, statement.line));
    }
    statement.words.iter().flatten().find_map(|atom| missing_in(atom, board))
}

fn missing_in(atom: &Atom, board: &Board<'_>) -> Option<(String, usize)> {
    match atom {
        Atom::Command(statements) => statements.iter().find_map(|s| missing(s, board)),
        Atom::Block(block) => block.body.iter().find_map(|s| missing(s, board)),
        Atom::Expression(expression) => missing_of(expression, board),
        Atom::Bare(_) | Atom::Quoted(_) | Atom::Variable(_) => None,
    }
}

fn missing_of(expression: &Expression, board: &Board<'_>) -> Option<(String, usize)> {
    match expression {
        Expression::Value(word) => word.iter().find_map(|atom| missing_in(atom, board)),
        Expression::Not(inner) | Expression::Minus(inner) => missing_of(inner, board),
        Expression::Both(_, left, right) => {
            missing_of(left, board).or_else(|| missing_of(right, board))
        }
    }
}

impl Run<'_, '_> {
    /// One step more.
    pub(super) fn tick(&mut self) -> Flow<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS { fault("std failure: timeout (13)") } else { Ok(()) }
    }

    /// Carries out statements in a scope of their own; what the last one gave.
    pub(super) fn block(
        &mut self,
        body: &[Statement],
        scope: BTreeMap<String, Value>,
    ) -> Flow<Value> {
        if self.depth >= MAX_DEPTH {
            return fault("too many blocks within blocks");
        }
        let menu = self.menu.clone();
        self.scopes.push(scope);
        self.depth += 1;
        let done = self.statements(body);
        self.depth -= 1;
        self.scopes.pop();
        self.menu = menu;
        done
    }

    fn statements(&mut self, body: &[Statement]) -> Flow<Value> {
        let mut last = Value::Nothing;
        for statement in body {
            last = self.statement(statement).map_err(|stop| match stop {
                Stop::Fault(words) if !words.contains(" (line ") => {
                    Stop::Fault(format!("{words} (line {})", statement.line))
                }
                other => other,
            })?;
        }
        Ok(last)
    }

    fn statement(&mut self, statement: &Statement) -> Flow<Value> {
        self.tick()?;
        let Some((first, rest)) = statement.words.split_first() else { return Ok(Value::Nothing) };
        match first.as_slice() {
            [Atom::Block(block)] if rest.is_empty() => self.block(&block.body, BTreeMap::new()),
            [Atom::Bare(word)] => match word.strip_prefix(':') {
                Some(name) => self.builtin(name, rest),
                None if super::commands::is_builtin(word) => self.builtin(word, rest),
                None => self.menu_command(statement),
            },
            _ => {
                let value = self.word(first)?;
                match value {
                    Value::Code(block) => self.call(&block, rest),
                    other => Ok(other),
                }
            }
        }
    }

    /// Calls code: named words are its variables, others `$1` and so on.
    pub(super) fn call(&mut self, block: &Arc<Block>, words: &[Word]) -> Flow<Value> {
        let mut scope = BTreeMap::new();
        let mut count = 0_u32;
        for word in words {
            match split_argument(word) {
                Some((name, tail, rest)) => {
                    let value = self.value_of(tail, rest)?;
                    scope.insert(name.to_owned(), value);
                }
                None => {
                    count += 1;
                    let value = self.word(word)?;
                    scope.insert(count.to_string(), value);
                }
            }
        }
        match self.block(&block.body, scope) {
            Err(Stop::Return(value)) => Ok(value),
            other => other,
        }
    }

    /// A text as code.
    pub(super) fn parse(&self, text: &str) -> Flow<Value> {
        match read(text, self.board) {
            Ok(body) => Ok(Value::Code(Arc::new(Block { source: text.to_owned(), body }))),
            Err(words) => fault(words),
        }
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Value {
        let local = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        local.or_else(|| self.globals.get(name)).cloned().unwrap_or(Value::Nothing)
    }

    /// `:local`
    pub(super) fn declare(&mut self, name: &str, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned(), value);
        }
    }

    /// `:global`; without a value it only makes the name known.
    pub(super) fn share(&mut self, name: &str, value: Option<Value>) {
        let variable = self.globals.entry(name.to_owned()).or_insert(Value::Nothing);
        if let Some(value) = value {
            *variable = value;
        }
    }

    /// `:set`, where the variable is.
    pub(super) fn assign(&mut self, name: &str, value: Value) -> Flow<()> {
        let scopes = self.scopes.iter_mut().rev();
        let mut all = scopes.chain([&mut self.globals]);
        match all.find_map(|scope| scope.get_mut(name)) {
            Some(variable) => {
                *variable = value;
                Ok(())
            }
            None => fault(format!("syntax error: no variable {name}")),
        }
    }

    /// The value of a word. One of several atoms is text.
    pub(super) fn word(&mut self, word: &[Atom]) -> Flow<Value> {
        if let [only] = word {
            return self.atom(only);
        }
        let mut text = String::new();
        for atom in word {
            text += &self.atom(atom)?.text();
        }
        sized(Value::Text(text))
    }

    /// What follows `name=`: the rest of its first atom, and the others.
    pub(super) fn value_of(&mut self, tail: &str, rest: &[Atom]) -> Flow<Value> {
        match (tail, rest) {
            ("", []) => Ok(Value::Text(String::new())),
            ("", rest) => self.word(rest),
            (tail, []) => Ok(Value::Text(tail.to_owned())),
            (tail, rest) => sized(Value::Text(tail.to_owned() + &self.word(rest)?.text())),
        }
    }

    fn atom(&mut self, atom: &Atom) -> Flow<Value> {
        match atom {
            Atom::Bare(text) | Atom::Quoted(text) => Ok(Value::Text(text.clone())),
            Atom::Variable(name) => Ok(self.variable(name)),
            Atom::Command(statements) => self.block(statements, BTreeMap::new()),
            Atom::Expression(expression) => self.expression(expression),
            Atom::Block(block) => Ok(Value::Code(Arc::clone(block))),
        }
    }

    fn expression(&mut self, expression: &Expression) -> Flow<Value> {
        match expression {
            Expression::Value(word) => match word.as_slice() {
                [Atom::Bare(text)] => Ok(Value::of_word(text)),
                word => self.word(word),
            },
            Expression::Not(inner) => match self.expression(inner)?.truth() {
                Some(truth) => Ok(Value::Truth(!truth)),
                None => fault("cannot negate what is no condition"),
            },
            Expression::Minus(inner) => match self.expression(inner)?.number() {
                Some(number) => Ok(Value::Number(number.wrapping_neg())),
                None => fault("cannot negate what is no number"),
            },
            Expression::Both(operator, left, right) => {
                let left = self.expression(left)?;
                // What decides already leaves the other side alone.
                match (*operator, left.truth()) {
                    ("&&" | "and", Some(false)) => return Ok(Value::Truth(false)),
                    ("||" | "or", Some(true)) => return Ok(Value::Truth(true)),
                    _ => {}
                }
                let right = self.expression(right)?;
                match both(operator, &left, &right) {
                    Some(value) => sized(value),
                    None => fault(format!(
                        "cannot apply {operator} to {} and {}",
                        left.kind(),
                        right.kind()
                    )),
                }
            }
        }
    }

    /// What a condition says.
    pub(super) fn condition(&mut self, word: &[Atom]) -> Flow<bool> {
        match self.word(word)?.truth() {
            Some(truth) => Ok(truth),
            None => fault("conditional not boolean"),
        }
    }

    /// The ids or names that a value means.
    pub(super) fn several(&mut self, word: &[Atom]) -> Flow<Vec<Value>> {
        Ok(items(&self.word(word)?))
    }
}

/// `name=...` as its name, the rest of the atom that it is in, and the atoms after that.
pub(super) fn split_argument(word: &[Atom]) -> Option<(&str, &str, &[Atom])> {
    let (first, rest) = word.split_first()?;
    let Atom::Bare(text) = first else { return None };
    let (name, tail) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
    Some((name, tail, rest))
}

fn sized(value: Value) -> Flow<Value> {
    let large = match &value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        _ => 0,
    };
    if large > MAX_VALUE { fault("value is too long") } else { Ok(value) }
}
