//! Commands of menus, and the way to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::run::{Flow, Run, Stop, fault, split_argument};
use super::syntax::{Atom, Statement, Word};
use super::value::{Value, items};
use crate::board::{Condition, Effect};
use crate::menus::{Item, Properties};

/// What ends the way to a menu.
const VERBS: [&str; 20] = [
    "add",
    "comment",
    "disable",
    "edit",
    "enable",
    "export",
    "find",
    "get",
    "import",
    "load",
    "monitor",
    "move",
    "print",
    "reboot",
    "remove",
    "reset-configuration",
    "run",
    "save",
    "set",
    "unset",
];

impl Run<'_, '_> {
    /// A command of a menu, or the way to one.
    pub(super) fn menu_command(&mut self, statement: &Statement) -> Flow<Value> {
        let words = &statement.words;
        let (menu, verb, used) = self.way(words);
        let rest = &words[used..];
        let Some(path) = self.board.air.path(&format!("/{}", menu.join("/"))) else {
            return unknown(&menu);
        };
        let is_absolute = matches!(words[0].first(), Some(Atom::Bare(t)) if t.starts_with('/'));
        let Some(verb) = verb else {
            if !is_absolute && self.menu.is_empty() && !is_block(rest) {
                return unknown(&menu);
            }
            return self.enter(menu, rest);
        };
        if menu.is_empty() {
            return match verb.as_str() {
                "export" | "import" | "print" => Ok(Value::Nothing),
                _ => unknown(&[verb]),
            };
        }
        // `[find]` within a command is in the command's menu.
        let before = std::mem::replace(&mut self.menu, menu);
        let done = self.verb(&path, &verb, rest);
        self.menu = before;
        done
    }

    /// The menu that words lead to, the command at its end, and how many words that were.
    fn way(&self, words: &[Word]) -> (Vec<String>, Option<String>, usize) {
        let mut menu: Vec<String> = Vec::new();
        let mut verb = None;
        let mut used = 0;
        for word in words {
            let [Atom::Bare(text)] = word.as_slice() else { break };
            if text.contains('=') || verb.is_some() {
                break;
            }
            if used == 0 && !text.starts_with('/') {
                menu.clone_from(&self.menu);
            }
            used += 1;
            for step in text.split('/').filter(|step| !step.is_empty()) {
                match step {
                    ".." => drop(menu.pop()),
                    _ if VERBS.contains(&step) => verb = Some(step.to_owned()),
                    _ => menu.push(step.to_owned()),
                }
            }
        }
        (menu, verb, used)
    }

    /// A menu without a command: from here on it is the one, or for a block; or it is a command that
    /// changes nothing here, such as `/tool fetch`.
    fn enter(&mut self, menu: Vec<String>, rest: &[Word]) -> Flow<Value> {
        let Some(first) = rest.first() else {
            self.menu = menu;
            return Ok(Value::Nothing);
        };
        if let ([_], [Atom::Block(block)]) = (rest, first.as_slice()) {
            let before = std::mem::replace(&mut self.menu, menu);
            let done = self.block(&block.body, BTreeMap::new());
            self.menu = before;
            return done;
        }
        if menu.first().is_some_and(|step| step == "log") {
            let message = self.named(rest, "message")?;
            let text = if message.is_empty() { self.word(first)?.text() } else { message };
            self.board.say(menu.last().map_or("info", String::as_str), &text);
        }
        Ok(Value::Nothing)
    }

    fn verb(&mut self, menu: &str, verb: &str, words: &[Word]) -> Flow<Value> {
        match (menu, verb) {
            ("/system", "reboot") => self.order(Effect::Reboot),
            ("/system", "reset-configuration") => self.order(Effect::Reset),
            ("/system/backup", "save") => {
                let name = self.named(words, "name")?;
                self.board.save(&name).map(|()| Value::Nothing).or_else(fault)
            }
            ("/system/backup", "load") => {
                let name = self.named(words, "name")?;
                let name = name.strip_suffix(".backup").unwrap_or(&name).to_owned();
                if self.board.backups.contains_key(&name) {
                    return self.order(Effect::Load(name));
                }
                fault("failure: no such file")
            }
            ("/file", "print") => {
                let name = self.named(words, "file")?;
                if !name.is_empty() {
                    let properties = Properties::from([("name".to_owned(), name)]);
                    // A file that is there already is written again.
                    let _ = self.board.add(menu, None, &properties);
                }
                Ok(Value::Nothing)
            }
            (_, "find") => self.find(menu, words),
            (_, "get") => self.get(menu, words),
            (_, "add") => self.add(menu, words),
            (_, "unset") => self.unset(menu, words),
            ("/system/script", "run") => {
                let references = self.references(menu, words)?;
                for id in references {
                    let source = self.property(menu, id, "source");
                    if let Value::Code(block) = self.parse(&source)? {
                        self.call(&block, &[])?;
                    }
                }
                Ok(Value::Nothing)
            }
            (_, "set" | "enable" | "disable" | "remove" | "comment") => {
                self.change(menu, verb, words)
            }
            _ => Ok(Value::Nothing),
        }
    }

    fn order(&mut self, effect: Effect) -> Flow<Value> {
        self.board.effect = Some(effect);
        // What comes behind it is not reached.
        Err(Stop::Quit)
    }

    fn find(&mut self, menu: &str, words: &[Word]) -> Flow<Value> {
        let mut conditions = Vec::new();
        for word in words {
            match word.as_slice() {
                [Atom::Bare(text)] if matches!(text.as_str(), "where" | "and" | "&&") => {}
                word => conditions.extend(self.wanted(word)?),
            }
        }
        let ids = self.board.find(menu, &conditions).into_iter();
        Ok(Value::List(ids.map(|id| Value::Text(format!("*{id:X}"))).collect()))
    }

    fn wanted(&mut self, word: &[Atom]) -> Flow<Option<Condition>> {
        let Some((Atom::Bare(text), rest)) = word.split_first() else {
            return fault("this condition is not simulated");
        };
        let flag = |name: &str, value: &str| Condition {
            name: name.to_owned(),
            operator: "=",
            value: value.to_owned(),
        };
        match text.find(['=', '~', '!']) {
            Some(0) => Ok(Some(flag(&text[1..], "no"))),
            None => Ok(Some(flag(text, "yes"))),
            Some(at) => {
                let (name, from) = text.split_at(at);
                let operators = ["!=", "=", "~"];
                let Some(operator) = operators.into_iter().find(|op| from.starts_with(*op)) else {
                    return fault("this condition is not simulated");
                };
                // Here a variable of this name is the item's own property.
                if operator == "=" && rest == [Atom::Variable(name.to_owned())] {
                    return Ok(None);
                }
                let value = self.value_of(&from[operator.len()..], rest)?.property();
                Ok(Some(Condition { name: name.to_owned(), operator, value }))
            }
        }
    }

    fn get(&mut self, menu: &str, words: &[Word]) -> Flow<Value> {
        let named = self.named(words, "value-name")?;
        let mut plain: Vec<&Word> =
            words.iter().filter(|word| split_argument(word).is_none()).collect();
        let name = if named.is_empty() {
            match plain.pop() {
                Some(word) => self.word(word)?.text(),
                None => return Ok(Value::Nothing),
            }
        } else {
            named
        };
        if let Some(fact) = self.board.fact(menu, &name) {
            return Ok(Value::of_property(&fact));
        }
        let ids = match plain.first() {
            Some(word) => self.references(menu, std::slice::from_ref(*word))?,
            None => {
                let items = self.board.items(menu);
                items
                    .first()
                    .filter(|item| item.is_single())
                    .map(|item| item.id)
                    .into_iter()
                    .collect()
            }
        };
        match ids.as_slice() {
            [id] => Ok(Value::of_property(&self.property(menu, *id, &name))),
            // What is there once, and was never set, is as it came.
            [] if plain.is_empty() && self.board.items(menu).is_empty() => Ok(Value::Nothing),
            [] => fault("no such item"),
            _ => fault("invalid internal item number"),
        }
    }

    fn property(&self, menu: &str, id: u32, name: &str) -> String {
        let items = self.board.items(menu);
        let item = items.iter().find(|item| item.id == id);
        item.map(|item| self.board.read(menu, item, name)).unwrap_or_default()
    }

    fn add(&mut self, menu: &str, words: &[Word]) -> Flow<Value> {
        let (mut properties, _) = self.arguments(menu, words)?;
        let before = properties.remove("place-before");
        properties.remove("copy-from");
        let at = match before {
            Some(reference) => {
                let ids = self.resolve(menu, &[Value::Text(reference)])?;
                let items = self.board.configuration.items(menu);
                items.iter().position(|item| ids.contains(&item.id))
            }
            None => None,
        };
        match self.board.add(menu, at, &properties) {
            Ok(id) => Ok(Value::Text(format!("*{id:X}"))),
            Err(words) => fault(words),
        }
    }

    fn change(&mut self, menu: &str, verb: &str, words: &[Word]) -> Flow<Value> {
        let (mut properties, plain) = self.arguments(menu, words)?;
        let numbers = properties.remove("numbers");
        let ids = match (plain.as_slice(), numbers) {
            ([], Some(numbers)) => self.resolve(menu, &[Value::Text(numbers)])?,
            ([], None) => match self.board.configuration.single(menu) {
                Some(id) if verb == "set" => vec![id],
                _ => return fault("missing value of argument numbers"),
            },
            (values, _) => {
                let several: Vec<Value> = values.iter().flat_map(items).collect();
                self.resolve(menu, &several)?
            }
        };
        match verb {
            "enable" => drop(properties.insert("disabled".to_owned(), "no".to_owned())),
            "disable" => drop(properties.insert("disabled".to_owned(), "yes".to_owned())),
            _ => {}
        }
        for id in ids {
            let done = match verb {
                "remove" => self.board.remove(menu, id),
                _ => self.board.set(menu, id, &properties),
            };
            done.or_else(fault)?;
        }
        Ok(Value::Nothing)
    }

    /// Takes a property away: the one that `value-name` says, or the last word.
    fn unset(&mut self, menu: &str, words: &[Word]) -> Flow<Value> {
        let (mut properties, mut plain) = self.arguments(menu, words)?;
        let named = properties.remove("value-name");
        let name = named.or_else(|| plain.pop().map(|value| value.text())).unwrap_or_default();
        let without = Properties::from([(full_name(menu, &name).to_owned(), String::new())]);
        let several: Vec<Value> = plain.iter().flat_map(items).collect();
        for id in self.resolve(menu, &several)? {
            self.board.set(menu, id, &without).or_else(fault)?;
        }
        Ok(Value::Nothing)
    }

    /// The properties that words give, and the values of the others.
    fn arguments(&mut self, menu: &str, words: &[Word]) -> Flow<(Properties, Vec<Value>)> {
        let (mut properties, mut plain) = (Properties::new(), Vec::new());
        for word in words {
            match (split_argument(word), word.as_slice()) {
                (Some((name, tail, rest)), _) => {
                    let value = self.value_of(tail, rest)?.property();
                    properties.insert(full_name(menu, name).to_owned(), value);
                }
                // `!name` takes it away.
                (None, [Atom::Bare(text)]) if text.starts_with('!') => {
                    properties.insert(full_name(menu, &text[1..]).to_owned(), String::new());
                }
                (None, word) => plain.push(self.word(word)?),
            }
        }
        Ok((properties, plain))
    }

    fn references(&mut self, menu: &str, words: &[Word]) -> Flow<Vec<u32>> {
        let mut values = Vec::new();
        for word in words {
            values.extend(self.several(word)?);
        }
        self.resolve(menu, &values)
    }

    /// The items that ids, names or numbers of lines mean.
    fn resolve(&self, menu: &str, values: &[Value]) -> Flow<Vec<u32>> {
        let all = self.board.items(menu);
        let mut ids = Vec::new();
        for value in values {
            let text = value.text();
            for one in text.split(',').filter(|one| !one.is_empty()) {
                let id = one.strip_prefix('*').and_then(|hex| u32::from_str_radix(hex, 16).ok());
                let by_line = one.parse::<usize>().ok().and_then(|at| all.get(at));
                let named = |item: &&Arc<Item>| self.board.read(menu, item, "name") == one;
                let found = all.iter().find(|item| id == Some(item.id));
                let found = found.or_else(|| all.iter().find(named)).or(by_line);
                match found {
                    Some(item) => ids.push(item.id),
                    None => return fault(format!("no such item ({one})")),
                }
            }
        }
        Ok(ids)
    }
}

fn unknown(menu: &[String]) -> Flow<Value> {
    fault(format!("bad command name {}", menu.join(" ")))
}

fn is_block(words: &[Word]) -> bool {
    matches!(words, [word] if matches!(word.as_slice(), [Atom::Block(_)]))
}

/// Names that RouterOS has two of.
fn full_name<'n>(menu: &str, name: &'n str) -> &'n str {
    match (menu, name) {
        ("/interface/wifi", "ssid") => "configuration.ssid",
        ("/interface/wifi", "passphrase") => "security.passphrase",
        _ => name,
    }
}
