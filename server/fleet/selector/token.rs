//! The words and signs of a selector's text, and the state that goes with reading it.
//!
//! Every token takes the blanks behind it, so that the next one begins where the text stands.

use std::fmt;
use std::ops::Range;

use winnow::Parser;
use winnow::combinator::{opt, peek, terminated};
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{LocatingSlice, Location, Stateful, Stream};
use winnow::token::take_while;

use super::error::Problem;
use super::parse::GroupMeaning;
use super::{MAX_COMPARISONS, MAX_DEPTH, MAX_EXPANDED, MAX_TEXT};

/// What a selector's text is read from.
pub(super) type Input<'t, 's, 'g> = Stateful<LocatingSlice<&'t str>, &'s mut Session<'g>>;
/// A failure; one that is cut is told to the user.
pub(super) type Fault = ErrMode<Problem>;
/// What a parser gives.
pub(super) type Parsed<T> = Result<T, Fault>;
/// Tells what a group means; `None` = there is no such group.
pub(super) type Lookup<'g> = dyn Fn(&str) -> Option<GroupMeaning> + 'g;

/// What is read, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Spanned<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<I: Stream + Location> ParserError<I> for Problem {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        let at = input.current_token_start();
        Self::new(at..at, "this cannot be read")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// What one selector may still use, with those of the groups that it names.
pub(super) struct Session<'g> {
    pub groups: &'g Lookup<'g>,
    /// The groups whose selectors are being read.
    pub path: Vec<String>,
    /// Nesting, through groups.
    depth: usize,
    /// In the text that is being read.
    comparisons: usize,
    /// Bytes of all texts so far.
    bytes: usize,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'g> Session<'g> {
    pub fn new(groups: &'g Lookup<'g>) -> Self {
        Self { groups, path: Vec::new(), depth: 0, comparisons: 0, bytes: 0 }
    }

    /// Begins a text; gives what [`Session::resume`] wants when it is read.
    pub fn begin(&mut self, text: &str) -> Result<usize, Problem> {
        self.bytes += text.len();
        if text.len() > MAX_TEXT || self.bytes > MAX_EXPANDED {
            let message = format!(
                "the selector is too long: at most {MAX_TEXT} bytes, and {MAX_EXPANDED} with the \
                 groups that it names"
            );
            return Err(Problem::new(0..0, message));
        }
        if let Some(at) = text.find('\0') {
            return Err(Problem::new(at..at + 1, "no text of a device holds the character NUL"));
        }
        Ok(std::mem::take(&mut self.comparisons))
    }

    /// Goes on with the text that was being read before.
    pub fn resume(&mut self, comparisons: usize) {
        self.comparisons = comparisons;
    }

    pub fn count(&mut self, span: &Range<usize>) -> Result<(), Problem> {
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            let message = format!("a selector holds at most {MAX_COMPARISONS} comparisons");
            let hint = "many values of one field fit one comparison: serial in (A, B, C)";
            return Err(Problem::new(span.clone(), message).hint(hint));
        }
        Ok(())
    }

    pub fn enter(&mut self, span: &Range<usize>) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("parentheses, `not` and groups nest at most {MAX_DEPTH} deep");
            return Err(Problem::new(span.clone(), message));
        }
        Ok(())
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// Blanks, if any.
pub(super) fn blank(input: &mut Input<'_, '_, '_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// Whether a character may stand in a word without quotes.
pub(super) fn is_word(c: char) -> bool {
    !c.is_whitespace() && !"()=<>!~,\"'&|;".contains(c)
}

pub(super) fn is_sign(c: char) -> bool {
    "=<>!~".contains(c)
}

fn spanned<'t>(
    input: &mut Input<'t, '_, '_>,
    of: fn(char) -> bool,
) -> Parsed<Option<Spanned<&'t str>>> {
    let start = input.current_token_start();
    let text: Option<&'t str> = opt(terminated(take_while(1.., of), blank)).parse_next(input)?;
    Ok(text.map(|value| Spanned { value, span: start..start + value.len() }))
}

/// A word without quotes, if there is one.
pub(super) fn word<'t>(input: &mut Input<'t, '_, '_>) -> Parsed<Option<Spanned<&'t str>>> {
    spanned(input, is_word)
}

/// Signs of comparison that stand together, if there are any.
pub(super) fn signs<'t>(input: &mut Input<'t, '_, '_>) -> Parsed<Option<Spanned<&'t str>>> {
    spanned(input, is_sign)
}

/// The word that comes next, which stays.
pub(super) fn next_word<'t>(input: &mut Input<'t, '_, '_>) -> Parsed<Option<Spanned<&'t str>>> {
    peek(word).parse_next(input)
}

/// Takes this word, in any case of letters, if it comes next.
pub(super) fn takes_word(input: &mut Input<'_, '_, '_>, wanted: &str) -> Parsed<bool> {
    let comes = next_word(input)?.is_some_and(|w| w.value.eq_ignore_ascii_case(wanted));
    if comes {
        word(input)?;
    }
    Ok(comes)
}

/// Takes this sign if it comes next.
pub(super) fn takes_sign(input: &mut Input<'_, '_, '_>, wanted: char) -> Parsed<bool> {
    Ok(opt(terminated(wanted, blank)).parse_next(input)?.is_some())
}

/// A text in quotes, if there is one. A backslash takes a quote or a backslash at its word; before
/// anything else it stands for itself, so that patterns need not double it.
pub(super) fn quoted(input: &mut Input<'_, '_, '_>) -> Parsed<Option<Spanned<String>>> {
    let start = input.current_token_start();
    let Some(quote) = opt(winnow::token::one_of(['"', '\''])).parse_next(input)? else {
        return Ok(None);
    };
    let mut value = String::new();
    loop {
        match input.next_token() {
            Some(c) if c == quote => break,
            Some('\\') => match input.next_token() {
                Some(c @ ('"' | '\'' | '\\')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => return Err(unclosed(start, quote)),
            },
            Some(c) => value.push(c),
            None => return Err(unclosed(start, quote)),
        }
    }
    let span = start..input.current_token_start();
    blank(input)?;
    Ok(Some(Spanned { value, span }))
}

fn unclosed(start: usize, quote: char) -> Fault {
    let problem = Problem::new(start..start + 1, "this quote is never closed");
    ErrMode::Cut(problem.hint(format!("end the value with {quote}")))
}

/// Where the next token stands, whatever it is; empty at the end of the text.
pub(super) fn next_span(input: &mut Input<'_, '_, '_>) -> Parsed<Range<usize>> {
    let start = input.current_token_start();
    if let Some(word) = next_word(input)? {
        return Ok(word.span);
    }
    let rest: &str = input.peek_slice(input.eof_offset());
    Ok(start..start + rest.chars().next().map_or(0, char::len_utf8))
}
