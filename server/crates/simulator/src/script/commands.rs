//! Commands that begin with a colon.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::run::{Flow, Run, Stop, fault, split_argument};
use super::syntax::{Atom, Block, Word};
use super::value::{Value, items};

/// Turns of one loop; RouterOS has no limit but time.
const MAX_TURNS: i64 = 20_000;
/// Whether a command needs no colon.
pub(super) fn is_builtin(word: &str) -> bool {
    let words =
        ["do", "error", "for", "foreach", "global", "if", "local", "put", "return", "while"];
    words.contains(&word)
}

impl Run<'_, '_> {
    /// A command that begins with a colon.
    pub(super) fn builtin(&mut self, name: &str, words: &[Word]) -> Flow<Value> {
        match name {
            "local" | "global" | "set" => self.variables(name, words),
            "if" | "do" | "while" | "for" | "foreach" => self.control(name, words),
            "log" => {
                let level = self.first_text(words)?;
                let text = self.first_text(words.get(1..).unwrap_or_default())?;
                self.board.say(&level, &text);
                Ok(Value::Nothing)
            }
            "error" => fault(self.first_text(words)?),
            "quit" => Err(Stop::Quit),
            "return" => match words.first() {
                Some(word) => Err(Stop::Return(self.word(word)?)),
                None => Err(Stop::Return(Value::Nothing)),
            },
            "put" | "delay" | "nothing" | "beep" | "environment" => Ok(Value::Nothing),
            "execute" => {
                // It goes on by itself: its failure is nobody's.
                let text = self.named(words, "script")?;
                let text = if text.is_empty() { self.first_text(words)? } else { text };
                if let Ok(Value::Code(block)) = self.parse(&text)
                    && let Err(Stop::Fault(words)) = self.call(&block, &[])
                {
                    self.board.say("error", &words);
                }
                Ok(Value::Nothing)
            }
            _ => self.function(name, words),
        }
    }

    /// A command that gives a value.
    fn function(&mut self, name: &str, words: &[Word]) -> Flow<Value> {
        let mut values = Vec::new();
        for word in words {
            values.push(self.word(word)?);
        }
        let first = values.first().cloned().unwrap_or(Value::Nothing);
        let number = |at: usize| values.get(at).and_then(Value::number);
        Ok(match name {
            "len" => Value::Number(i64::try_from(first.length()).unwrap_or(i64::MAX)),
            "tostr" | "toip" => Value::Text(first.text()),
            "tonum" => first.number().map_or(Value::Nothing, Value::Number),
            "tobool" => first.truth().map_or(Value::Nothing, Value::Truth),
            "toarray" => match first {
                Value::Text(text) => Value::List(
                    text.split(',')
                        .filter(|t| !t.is_empty())
                        .map(|t| Value::Text(t.to_owned()))
                        .collect(),
                ),
                other => Value::List(items(&other)),
            },
            "typeof" => Value::Text(first.kind().to_owned()),
            "parse" => return self.parse(&first.text()),
            "find" => {
                let wanted = values.get(1).cloned().unwrap_or(Value::Nothing);
                let at = match &first {
                    Value::List(items) => items.iter().position(|item| item.same(&wanted)),
                    other => {
                        let text = other.text();
                        text.find(&wanted.text()).map(|at| text[..at].chars().count())
                    }
                };
                at.and_then(|at| i64::try_from(at).ok()).map_or(Value::Nothing, Value::Number)
            }
            "pick" => {
                let Some(from) = number(1).and_then(|n| usize::try_from(n).ok()) else {
                    return fault("missing value of argument begin");
                };
                let to = number(2).and_then(|n| usize::try_from(n).ok()).unwrap_or(from + 1);
                pick(&first, from, to)
            }
            _ => return fault(format!("bad command name {name}")),
        })
    }

    fn variables(&mut self, command: &str, words: &[Word]) -> Flow<Value> {
        let Some((name, rest)) = words.split_first() else { return fault("missing variable name") };
        let name = match name.as_slice() {
            [Atom::Bare(name) | Atom::Quoted(name)] => name.clone(),
            _ => return fault("bad variable name"),
        };
        let value = match rest.first() {
            None => None,
            // `:local f do={...}`
            Some(word) => Some(match split_argument(word) {
                Some(("do", tail, code)) => self.value_of(tail, code)?,
                _ => self.word(word)?,
            }),
        };
        match command {
            "local" => self.declare(&name, value.unwrap_or(Value::Nothing)),
            "global" => self.share(&name, value),
            _ => self.assign(&name, value.unwrap_or(Value::Nothing))?,
        }
        Ok(Value::Nothing)
    }

    fn control(&mut self, command: &str, words: &[Word]) -> Flow<Value> {
        let code = |name: &str| {
            words.iter().find_map(|word| match split_argument(word) {
                Some((found, "", [Atom::Block(block)])) if found == name => Some(block.clone()),
                _ => None,
            })
        };
        let first = words.first().map(Vec::as_slice).unwrap_or_default();
        match command {
            "if" => {
                let branch = if self.condition(first)? { code("do") } else { code("else") };
                branch.map_or(Ok(Value::Nothing), |block| self.block(&block.body, BTreeMap::new()))
            }
            "while" => {
                let Some(body) = code("do") else { return fault("missing value of argument do") };
                while self.condition(first)? {
                    self.tick()?;
                    self.block(&body.body, BTreeMap::new())?;
                }
                Ok(Value::Nothing)
            }
            "do" => {
                let body = match first {
                    [Atom::Block(block)] => block.clone(),
                    _ => return fault("missing value of argument command"),
                };
                let condition = words.iter().find_map(|word| match split_argument(word) {
                    Some(("while", "", rest)) => Some(rest),
                    _ => None,
                });
                loop {
                    self.tick()?;
                    let done = self.block(&body.body, BTreeMap::new());
                    let value = match (done, code("on-error")) {
                        (Err(Stop::Fault(_)), Some(rescue)) => {
                            self.block(&rescue.body, BTreeMap::new())?
                        }
                        (done, _) => done?,
                    };
                    match condition {
                        Some(condition) if self.condition(condition)? => {}
                        _ => return Ok(value),
                    }
                }
            }
            _ => self.count(command, first, words, code("do")),
        }
    }

    /// `:for` and `:foreach`.
    fn count(
        &mut self,
        command: &str,
        name: &[Atom],
        words: &[Word],
        body: Option<Arc<Block>>,
    ) -> Flow<Value> {
        let ([Atom::Bare(name)], Some(body)) = (name, body) else {
            return fault("missing value of argument do");
        };
        let (key, name) = name.split_once(',').map_or((None, name.as_str()), |(k, v)| (Some(k), v));
        let turns: Vec<Value> = if command == "foreach" {
            let list = words.iter().find_map(|word| match split_argument(word) {
                Some(("in", tail, rest)) => Some((tail, rest)),
                _ => None,
            });
            let Some((tail, rest)) = list else { return fault("missing value of argument in") };
            items(&self.value_of(tail, rest)?)
        } else {
            let number = |text: String| text.parse::<i64>().ok();
            let from = number(self.named(words, "from")?);
            let to = number(self.named(words, "to")?);
            let step = number(self.named(words, "step")?);
            let (Some(from), Some(to)) = (from, to) else {
                return fault("missing value of argument from");
            };
            let step = step.filter(|step| *step != 0).unwrap_or(if to < from { -1 } else { 1 });
            let turns = to.saturating_sub(from).checked_div(step).unwrap_or(i64::MAX);
            let turns = turns.saturating_add(1).clamp(0, MAX_TURNS);
            (0..turns).map(|n| Value::Number(from.saturating_add(n.saturating_mul(step)))).collect()
        };
        for (n, value) in (0_i64..).zip(turns) {
            self.tick()?;
            let mut scope = BTreeMap::from([(name.to_owned(), value)]);
            scope.extend(key.map(|key| (key.to_owned(), Value::Number(n))));
            self.block(&body.body, scope)?;
        }
        Ok(Value::Nothing)
    }

    fn first_text(&mut self, words: &[Word]) -> Flow<String> {
        match words.first() {
            Some(word) => Ok(self.word(word)?.text()),
            None => Ok(String::new()),
        }
    }

    /// The text of `name=...` among these; empty without one.
    pub(super) fn named(&mut self, words: &[Word], name: &str) -> Flow<String> {
        for word in words {
            if let Some((found, tail, rest)) = split_argument(word)
                && found == name
            {
                return Ok(self.value_of(tail, rest)?.text());
            }
        }
        Ok(String::new())
    }
}

/// Part of a list or a text; one of a list is that one.
fn pick(value: &Value, from: usize, to: usize) -> Value {
    let length = to.saturating_sub(from);
    match value {
        Value::List(items) => match items.get(from..to.min(items.len())) {
            None | Some([]) => Value::Nothing,
            Some([only]) => only.clone(),
            Some(several) => Value::List(several.to_vec()),
        },
        other => Value::Text(other.text().chars().skip(from).take(length).collect()),
    }
}
