//! What can come next in a selector that is being written: fields, the operators and values of a
//! field, and the words between comparisons. Reads what stands before the cursor, loosely: where it
//! is wrong there is nothing to offer, and the parser says why.

use muster_routeros::version::RosVersion;
use serde::Serialize;

use super::MAX_TEXT;
use super::expr::TextField;
use super::field::{self, FIELDS, Field, FieldInfo, ORDERED};
use super::parse::is_reserved;
use super::token::{is_sign, is_word};
use super::typing::EVENTS;
use super::value::ParameterPath;

/// What is offered at most.
const MAX_OFFERS: usize = 30;
/// Durations that people ask for.
const DURATIONS: [&str; 6] = ["15m", "1h", "12h", "1d", "7d", "30d"];

/// Values that devices have, to offer. Those that do not begin as what is written are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Paths of sites.
    pub sites: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Models.
    pub models: Vec<String>,
    /// Product classes.
    pub classes: Vec<String>,
    /// Software versions.
    pub versions: Vec<String>,
}

/// One of the lists of [`Known`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Paths of sites.
    Sites,
    /// Tags.
    Tags,
    /// Names of groups.
    Groups,
    /// Models.
    Models,
    /// Product classes.
    Classes,
    /// Software versions.
    Versions,
}

/// The values that [`complete()`] could offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of which list.
    pub source: Source,
    /// How they begin, in either case of letters.
    pub prefix: String,
}

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A field.
    Field,
    /// An operator.
    Operator,
    /// A value.
    Value,
    /// A word or sign between comparisons.
    Keyword,
}

/// Something that can come next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// All that is to stand before the cursor then; what stands behind it stays.
    pub insert: String,
    /// What is offered, as it is shown.
    pub label: String,
    /// What it is.
    pub kind: Kind,
}

/// A field, or `None` for a parameter.
type Subject = Option<&'static FieldInfo>;

/// What may come next.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// A comparison.
    Subject,
    /// `(` after `param`
    ParamOpen,
    /// A parameter's name.
    ParamName,
    /// `)` after it.
    ParamClose,
    /// An operator, or what may come after a subject that stands alone.
    Operator(Subject),
    /// `in` after `not`
    In(Subject),
    /// A value, or a list of them.
    Value { of: Subject, list: bool },
    /// A value in a list.
    Item(Subject),
    /// `,` or `)` in a list.
    ListNext(Subject),
    /// `and`, `or`, `)`
    Joint,
    /// Nothing: something is wrong.
    Nothing,
}

enum Token<'t> {
    Word(&'t str),
    Quoted,
    /// Signs of an operator.
    Signs,
    /// Any other.
    Sign(char),
}

/// What is being written at the cursor.
struct Partial {
    /// Where it begins.
    start: usize,
    /// Without its opening quote.
    text: String,
}

/// Where the cursor stands.
struct Place<'t> {
    before: &'t str,
    partial: Partial,
    expect: Expect,
    /// Open parentheses.
    depth: usize,
}

/// What can come next at the cursor, which stands so many bytes from the beginning of the text.
pub fn complete(text: &str, cursor: usize, known: &Known) -> Vec<Suggestion> {
    let place = Place::at(text, cursor);
    let begun = place.partial.text.to_lowercase();
    let begins = |label: &str| label.to_lowercase().starts_with(&begun);
    let offers = place.offers(known).into_iter().filter(|(label, _)| begins(label));
    offers.take(MAX_OFFERS).map(|(label, kind)| place.suggestion(label, kind)).collect()
}

/// The values without which [`complete()`] cannot say what can come next there.
pub fn wanted(text: &str, cursor: usize) -> Option<Wanted> {
    let place = Place::at(text, cursor);
    let (Expect::Value { of: Some(info), .. } | Expect::Item(Some(info))) = place.expect else {
        return None;
    };
    Some(Wanted { source: source(info)?, prefix: place.partial.text })
}

fn source(info: &FieldInfo) -> Option<Source> {
    match info.field {
        Field::Site => Some(Source::Sites),
        Field::Tag => Some(Source::Tags),
        Field::Group => Some(Source::Groups),
        Field::Version => Some(Source::Versions),
        Field::Text(TextField::Model) => Some(Source::Models),
        Field::Text(TextField::Class) => Some(Source::Classes),
        Field::Text(_) | Field::Address | Field::Event | Field::Flag(_) | Field::Time(_) => None,
    }
}

impl<'t> Place<'t> {
    fn at(text: &'t str, cursor: usize) -> Self {
        let before = text.get(..cursor).unwrap_or(text);
        let (tokens, partial) = lex(before);
        let mut place = Self { before, partial, expect: Expect::Subject, depth: 0 };
        if text.len() > MAX_TEXT {
            place.expect = Expect::Nothing;
        }
        for token in &tokens {
            place.step(token);
        }
        place
    }

    fn step(&mut self, token: &Token<'_>) {
        self.expect = match (self.expect, token) {
            (Expect::Subject, Token::Word(word)) => subject(word),
            (Expect::Subject, Token::Sign('(')) => {
                self.depth += 1;
                Expect::Subject
            }
            (Expect::ParamOpen, Token::Sign('(')) => Expect::ParamName,
            (Expect::ParamName, Token::Word(_) | Token::Quoted) => Expect::ParamClose,
            (Expect::ParamClose, Token::Sign(')')) => Expect::Operator(None),
            (Expect::Operator(of), Token::Signs) => Expect::Value { of, list: false },
            (Expect::Operator(of), Token::Word(word)) => operator(of, word),
            (Expect::In(of), Token::Word(word)) if word.eq_ignore_ascii_case("in") => {
                Expect::Value { of, list: true }
            }
            (Expect::Value { of, list: true }, Token::Sign('(')) => Expect::Item(of),
            (Expect::Value { .. }, Token::Word(_) | Token::Quoted) => Expect::Joint,
            (Expect::Item(of), Token::Word(_) | Token::Quoted) => Expect::ListNext(of),
            (Expect::ListNext(of), Token::Sign(',')) => Expect::Item(of),
            (Expect::ListNext(_), Token::Sign(')')) => Expect::Joint,
            (Expect::Joint, Token::Word(word)) => joint(word),
            (Expect::Operator(_) | Expect::Joint, Token::Sign(')')) if self.depth > 0 => {
                self.depth -= 1;
                Expect::Joint
            }
            _ => Expect::Nothing,
        };
    }

    /// All that can come next, however it begins.
    fn offers(&self, known: &Known) -> Vec<(String, Kind)> {
        let mut offers = Vec::new();
        let mut add = |labels: &[&str], kind: Kind| {
            offers.extend(labels.iter().map(|label| ((*label).to_owned(), kind)));
        };
        match self.expect {
            Expect::Subject => {
                add(&FIELDS.each_ref().map(|info| info.name), Kind::Field);
                add(&["not", "(", "param(\""], Kind::Keyword);
            }
            Expect::ParamOpen => add(&["("], Kind::Keyword),
            Expect::ParamClose => add(&[")"], Kind::Keyword),
            Expect::Operator(of) => {
                add(of.map_or(ORDERED, |info| info.operators), Kind::Operator);
                let needs_value =
                    of.is_some_and(|i| matches!(i.field, Field::Address | Field::Group));
                if !needs_value {
                    add(self.joints(), Kind::Keyword);
                }
            }
            Expect::In(_) => add(&["in"], Kind::Operator),
            Expect::Value { of, list } => {
                if list {
                    add(&["("], Kind::Keyword);
                }
                offers.extend(values(of, known));
            }
            Expect::Item(of) => offers.extend(values(of, known)),
            Expect::ListNext(_) => add(&[",", ")"], Kind::Keyword),
            Expect::Joint => add(self.joints(), Kind::Keyword),
            Expect::ParamName | Expect::Nothing => {}
        }
        offers
    }

    fn joints(&self) -> &'static [&'static str] {
        if self.depth > 0 { &["and", "or", ")"] } else { &["and", "or"] }
    }

    /// The text with an offer in it, ready for what comes after that.
    fn suggestion(&self, label: String, kind: Kind) -> Suggestion {
        let written = if kind == Kind::Value { written(&label) } else { label.clone() };
        let kept = &self.before[..self.partial.start];
        let insert = match label.as_str() {
            "," | ")" if kind == Kind::Keyword => format!("{}{written} ", kept.trim_end()),
            "(" | "param(\"" if kind == Kind::Keyword => format!("{kept}{}{written}", self.gap()),
            _ => format!("{kept}{}{written} ", self.gap()),
        };
        Suggestion { insert, label, kind }
    }

    /// The blank that must stand before what is not there yet.
    fn gap(&self) -> &'static str {
        let begun = self.partial.start < self.before.len();
        let apart = |c: char| c.is_whitespace() || c == '(';
        if begun || self.before.is_empty() || self.before.ends_with(apart) { "" } else { " " }
    }
}

fn subject(word: &str) -> Expect {
    if word.eq_ignore_ascii_case("not") {
        Expect::Subject
    } else if word.eq_ignore_ascii_case("param") {
        Expect::ParamOpen
    } else if ParameterPath::begins(word) {
        Expect::Operator(None)
    } else {
        field::find(word).map_or(Expect::Nothing, |info| Expect::Operator(Some(info)))
    }
}

fn operator(of: Subject, word: &str) -> Expect {
    match word.to_ascii_lowercase().as_str() {
        "in" => Expect::Value { of, list: true },
        "not" => Expect::In(of),
        "under" | "older" | "newer" => Expect::Value { of, list: false },
        _ => joint(word),
    }
}

fn joint(word: &str) -> Expect {
    let joins = ["and", "or"].iter().any(|joint| joint.eq_ignore_ascii_case(word));
    if joins { Expect::Subject } else { Expect::Nothing }
}

fn values(of: Subject, known: &Known) -> Vec<(String, Kind)> {
    let Some(info) = of else { return Vec::new() };
    let fixed = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect();
    let values: Vec<String> = match (source(info), info.field) {
        (Some(Source::Sites), _) => known.sites.clone(),
        (Some(Source::Tags), _) => known.tags.clone(),
        (Some(Source::Groups), _) => known.groups.clone(),
        (Some(Source::Models), _) => known.models.clone(),
        (Some(Source::Classes), _) => known.classes.clone(),
        (Some(Source::Versions), _) => known.versions.iter().map(|text| plain(text)).collect(),
        (None, Field::Event) => fixed(&EVENTS),
        (None, Field::Time(_)) => fixed(&DURATIONS),
        (None, _) => fixed(info.values),
    };
    values.into_iter().map(|value| (value, Kind::Value)).collect()
}

/// A version as people write it: that of RouterOS without its channel.
fn plain(version: &str) -> String {
    let short = version.split(' ').next().unwrap_or(version);
    let same = version.parse::<RosVersion>().is_ok() && short.parse::<RosVersion>().is_ok();
    if same { short.to_owned() } else { version.to_owned() }
}

/// A value as it is written: in quotes, where it could be misread.
fn written(value: &str) -> String {
    if !value.is_empty() && value.chars().all(is_word) && !is_reserved(value) {
        return value.to_owned();
    }
    super::quoted(value)
}

/// The tokens of the text, but for the one that the text ends in.
fn lex(text: &str) -> (Vec<Token<'_>>, Partial) {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let (start, rest) = (at, &text[at..]);
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if matches!(c, '"' | '\'') {
            let (value, length) = quoted(&rest[1..], c);
            let Some(length) = length else { return (tokens, Partial { start, text: value }) };
            at += 1 + length;
            tokens.push(Token::Quoted);
        } else if is_word(c) || is_sign(c) {
            let of: fn(char) -> bool = if is_word(c) { is_word } else { is_sign };
            let length = rest.find(|c: char| !of(c)).unwrap_or(rest.len());
            if length == rest.len() {
                return (tokens, Partial { start, text: rest.to_owned() });
            }
            at += length;
            let token = &rest[..length];
            tokens.push(if is_word(c) { Token::Word(token) } else { Token::Signs });
        } else {
            at += c.len_utf8();
            tokens.push(Token::Sign(c));
        }
    }
    (tokens, Partial { start: text.len(), text: String::new() })
}

/// What stands in quotes, behind the first of them; and how long it is with the last one, if that is
/// there.
fn quoted(text: &str, quote: char) -> (String, Option<usize>) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return (value, Some(at + 1)),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\'' | '\\'))) => value.push(c),
                Some((_, c)) => value.extend(['\\', c]),
                None => break,
            },
            c => value.push(c),
        }
    }
    (value, None)
}

#[cfg(test)]
mod tests;
