//! The grammar: `or` binds weakest, then `and`, then `not`, then comparisons and parentheses.
//!
//! ```text
//! any        = all { "or" all }
//! all        = unary { "and" unary }
//! unary      = "not" unary | "(" any ")" | comparison
//! comparison = subject [ operator value | ("in" | "not in") ( value | "(" value { "," value } ")" ) ]
//! subject    = FIELD | "param" "(" PATH ")" | PATH
//! ```

use std::ops::Range;

use uuid::Uuid;
use winnow::error::ErrMode;
use winnow::stream::{LocatingSlice, Stateful, Stream};

use super::MAX_TEXT;
use super::error::{Problem, SelectorError};
use super::expr::{Expr, Order, Test};
use super::field::{self, Field};
use super::token::{
    Input, Parsed, Session, Spanned, blank, next_span, next_word, quoted, signs, takes_sign,
    takes_word, word,
};
use super::typing::{self, Operator, Subject, Verb, What};
use super::value::ParameterPath;

/// What a group's name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupMeaning {
    /// The devices that were put into the group of this id.
    Members(Uuid),
    /// The devices that this selector finds.
    Selector(String),
}

/// Reads a selector. `groups` tells what a group's name stands for; a group's own selector is put
/// in its place, and one that leads back to itself is an error.
pub fn parse(
    text: &str,
    groups: &dyn Fn(&str) -> Option<GroupMeaning>,
) -> Result<Expr, SelectorError> {
    let shown = if text.len() > MAX_TEXT { "" } else { text };
    whole(text, &mut Session::new(groups)).map_err(|problem| problem.of(shown))
}

fn whole(text: &str, session: &mut Session<'_>) -> Result<Expr, Problem> {
    let outer = session.begin(text)?;
    let mut input = Stateful { input: LocatingSlice::new(text), state: &mut *session };
    let read = selector(&mut input).map_err(|fault| {
        fault.into_inner().unwrap_or_else(|_| Problem::new(0..0, "the selector ends too early"))
    });
    session.resume(outer);
    read
}

fn cut<T>(problem: Problem) -> Parsed<T> {
    Err(ErrMode::Cut(problem))
}

fn selector(input: &mut Input<'_, '_, '_>) -> Parsed<Expr> {
    blank(input)?;
    if input.eof_offset() == 0 {
        let hint = "write for example: model ~ \"hAP*\" and version < 7.16";
        return cut(Problem::new(0..0, "the selector is empty").hint(hint));
    }
    let expr = any(input)?;
    if input.eof_offset() > 0 {
        return leftover(input, "the end");
    }
    Ok(expr)
}

/// Something stands where a selector could only go on or end.
fn leftover(input: &mut Input<'_, '_, '_>, end: &str) -> Parsed<Expr> {
    let span = next_span(input)?;
    let problem = match input.peek_token() {
        Some(')') => Problem::new(span, "this `)` closes nothing"),
        Some('&') => Problem::new(span, "`&` is no word of selectors").hint("write `and`"),
        Some('|') => Problem::new(span, "`|` is no word of selectors").hint("write `or`"),
        Some(',') => Problem::new(span, "a list stands in parentheses, after `in`")
            .hint("write for example: serial in (A, B)"),
        _ => Problem::new(span, format!("expected `and`, `or` or {end}"))
            .hint("a value with blanks or signs stands in quotes: model = \"hAP ac^2\""),
    };
    cut(problem)
}

fn any(input: &mut Input<'_, '_, '_>) -> Parsed<Expr> {
    let mut parts = vec![all(input)?];
    while takes_word(input, "or")? {
        parts.push(all(input)?);
    }
    Ok(Expr::any(parts))
}

fn all(input: &mut Input<'_, '_, '_>) -> Parsed<Expr> {
    let mut parts = vec![unary(input)?];
    while takes_word(input, "and")? {
        parts.push(unary(input)?);
    }
    Ok(Expr::all(parts))
}

fn unary(input: &mut Input<'_, '_, '_>) -> Parsed<Expr> {
    let span = next_span(input)?;
    if takes_word(input, "not")? {
        input.state.enter(&span).map_err(ErrMode::Cut)?;
        let inner = unary(input)?;
        input.state.leave();
        return Ok(inner.negated());
    }
    if !takes_sign(input, '(')? {
        return comparison(input);
    }
    input.state.enter(&span).map_err(ErrMode::Cut)?;
    let inner = any(input)?;
    input.state.leave();
    if input.eof_offset() == 0 {
        return cut(Problem::new(span, "this `(` is never closed"));
    }
    if !takes_sign(input, ')')? {
        return leftover(input, "`)`");
    }
    Ok(inner)
}

fn comparison(input: &mut Input<'_, '_, '_>) -> Parsed<Expr> {
    let subject = subject(input)?;
    input.state.count(&subject.span).map_err(ErrMode::Cut)?;
    let Some(operator) = operator(input)? else {
        if !ends_here(input)? {
            let message = format!("expected an operator after `{}`", subject.name());
            return cut(Problem::new(next_span(input)?, message).hint(subject.hint()));
        }
        return typing::alone(&subject).map_err(ErrMode::Cut);
    };
    let values = values(input, &subject, &operator)?;
    let test = match subject.what {
        What::Field(info) if info.field == Field::Group => {
            groups(&subject, &operator, &values, input.state)
        }
        _ => typing::compare(&subject, &operator, &values),
    };
    let test = test.map_err(ErrMode::Cut)?;
    Ok(if operator.negated { test.negated() } else { test })
}

/// Whether a comparison may end before what comes next.
fn ends_here(input: &mut Input<'_, '_, '_>) -> Parsed<bool> {
    let joined = next_word(input)?.is_some_and(|w| is_reserved(w.value));
    Ok(joined || matches!(input.peek_token(), None | Some(')')))
}

/// Words that cannot be values without quotes.
pub(super) fn is_reserved(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|r| r.eq_ignore_ascii_case(word))
}

fn subject(input: &mut Input<'_, '_, '_>) -> Parsed<Subject> {
    let next = next_span(input)?;
    let Some(name) = word(input)?.filter(|w| !is_reserved(w.value)) else {
        let problem = Problem::new(next, "expected a field");
        return cut(match input.peek_token() {
            Some('!') => problem.hint("write `not`"),
            _ => problem.hint(fields()),
        });
    };
    if name.value.eq_ignore_ascii_case("param") {
        return parameter(input);
    }
    if ParameterPath::begins(name.value) {
        return path(name.value, name.span);
    }
    match field::find(name.value) {
        Some(info) => Ok(Subject { what: What::Field(info), span: name.span }),
        None => cut(unknown(&name)),
    }
}

fn unknown(name: &Spanned<&str>) -> Problem {
    let problem = Problem::new(name.span.clone(), format!("there is no field `{}`", name.value));
    match field::meant(name.value) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint(fields()),
    }
}

fn fields() -> String {
    let names: Vec<&str> = field::FIELDS.iter().map(|f| f.name).collect();
    format!("fields are {}, and param(\"...\") for any parameter", names.join(", "))
}

/// The rest of `param("...")`.
fn parameter(input: &mut Input<'_, '_, '_>) -> Parsed<Subject> {
    let hint = "write for example: param(\"Device.WiFi.SSID.1.SSID\") = \"guest\"";
    let missing = |span: Range<usize>, what: &str| cut(Problem::new(span, what).hint(hint));
    if !takes_sign(input, '(')? {
        return missing(next_span(input)?, "expected `(` after `param`");
    }
    let name = match quoted(input)? {
        Some(name) => Some(name),
        None => word(input)?.map(|w| Spanned { value: w.value.to_owned(), span: w.span }),
    };
    let Some(name) = name else {
        return missing(next_span(input)?, "expected a parameter's name");
    };
    if !takes_sign(input, ')')? {
        return missing(next_span(input)?, "expected `)` after the parameter's name");
    }
    path(&name.value, name.span)
}

fn path(text: &str, span: Range<usize>) -> Parsed<Subject> {
    match ParameterPath::new(text) {
        Ok(path) => Ok(Subject { what: What::Parameter(path), span }),
        Err(message) => cut(Problem::new(span, message)),
    }
}

fn operator(input: &mut Input<'_, '_, '_>) -> Parsed<Option<Operator>> {
    if let Some(signs) = signs(input)? {
        return sign(&signs).map(Some);
    }
    let Some(name) = next_word(input)? else { return Ok(None) };
    let (verb, negated, list) = match name.value.to_ascii_lowercase().as_str() {
        "in" => (Verb::Is, false, true),
        "not" => (Verb::Is, true, true),
        "under" => (Verb::Under, false, false),
        "older" => (Verb::Older, false, false),
        "newer" => (Verb::Newer, false, false),
        _ => return Ok(None),
    };
    word(input)?;
    let mut span = name.span;
    if negated {
        let next = next_span(input)?;
        if !takes_word(input, "in")? {
            let problem = Problem::new(next, "expected `in` after `not`");
            return cut(problem.hint("before a field, `not` stands after `and` or `or`"));
        }
        span.end = next.end;
    }
    let text = if negated { "not in".to_owned() } else { name.value.to_owned() };
    Ok(Some(Operator { verb, negated, list, text, span }))
}

fn sign(signs: &Spanned<&str>) -> Parsed<Operator> {
    let (verb, negated) = match signs.value {
        "=" => (Verb::Is, false),
        "!=" => (Verb::Is, true),
        "~" => (Verb::Like, false),
        "!~" => (Verb::Like, true),
        "<" => (Verb::Compare(Order::Less), false),
        "<=" => (Verb::Compare(Order::LessOrEqual), false),
        ">" => (Verb::Compare(Order::Greater), false),
        ">=" => (Verb::Compare(Order::GreaterOrEqual), false),
        other => {
            let hint = match other {
                "==" => "write `=`",
                "<>" => "write `!=`",
                "=~" | "~=" => "write `~`",
                "=<" => "write `<=`",
                "=>" => "write `>=`",
                _ => "signs are  =  !=  ~  !~  <  <=  >  >=",
            };
            let message = format!("there is no operator `{other}`");
            return cut(Problem::new(signs.span.clone(), message).hint(hint));
        }
    };
    let (text, span) = (signs.value.to_owned(), signs.span.clone());
    Ok(Operator { verb, negated, list: false, text, span })
}

fn values(
    input: &mut Input<'_, '_, '_>,
    subject: &Subject,
    operator: &Operator,
) -> Parsed<Vec<Spanned<String>>> {
    let opened = next_span(input)?;
    if !operator.list || !takes_sign(input, '(')? {
        return Ok(vec![value(input, subject)?]);
    }
    let mut list = vec![value(input, subject)?];
    while takes_sign(input, ',')? {
        list.push(value(input, subject)?);
    }
    if input.eof_offset() == 0 {
        return cut(Problem::new(opened, "this `(` is never closed"));
    }
    if !takes_sign(input, ')')? {
        return cut(Problem::new(next_span(input)?, "expected `,` or `)` in the list"));
    }
    Ok(list)
}

fn value(input: &mut Input<'_, '_, '_>, subject: &Subject) -> Parsed<Spanned<String>> {
    if let Some(quoted) = quoted(input)? {
        return Ok(quoted);
    }
    let next = next_span(input)?;
    match word(input)? {
        Some(w) if is_reserved(w.value) => {
            let hint = format!("as a value it stands in quotes: \"{}\"", w.value);
            cut(Problem::new(next, format!("expected a value, not `{}`", w.value)).hint(hint))
        }
        Some(w) => Ok(Spanned { value: w.value.to_owned(), span: w.span }),
        None => cut(Problem::new(next, "expected a value").hint(subject.hint())),
    }
}

fn groups(
    subject: &Subject,
    operator: &Operator,
    names: &[Spanned<String>],
    session: &mut Session<'_>,
) -> Result<Expr, Problem> {
    if operator.verb != Verb::Is {
        return Err(typing::unfit(subject, operator));
    }
    let parts = names.iter().map(|name| group(name, session)).collect::<Result<Vec<_>, _>>()?;
    Ok(Expr::any(parts))
}

fn group(name: &Spanned<String>, session: &mut Session<'_>) -> Result<Expr, Problem> {
    let problem = |message: String| Problem::new(name.span.clone(), message);
    let text = match (session.groups)(&name.value) {
        Some(GroupMeaning::Members(id)) => return Ok(Expr::Test(Test::Member(id))),
        Some(GroupMeaning::Selector(text)) => text,
        None => return Err(problem(format!("there is no group `{}`", name.value))),
    };
    if session.path.contains(&name.value) {
        let chain = session.path.join(" > ");
        return Err(problem(format!("the group stands for itself: {chain} > {}", name.value)));
    }
    session.enter(&name.span)?;
    session.path.push(name.value.clone());
    let inner = whole(&text, session);
    session.path.pop();
    session.leave();
    inner.map_err(|p| problem(format!("in group `{}`: {}", name.value, p.message)))
}
