//! What is wrong with a selector, where in its text, and what would be right.

use std::fmt;
use std::ops::Range;

/// A selector that cannot be read. Its `Display` shows the line with the place marked:
///
/// ```text
/// there is no field `modle`
///   modle ~ "hAP*" and online
///   ^^^^^
/// did you mean `model`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// The text, as given; empty where it was too long to be looked at.
    pub text: String,
    /// The bytes of the text that are wrong; empty at its end.
    pub span: Range<usize>,
    /// What is wrong, one sentence.
    pub message: String,
    /// What would be right, one sentence.
    pub suggestion: Option<String>,
}

impl std::error::Error for SelectorError {}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.text.is_empty() {
            let start = self.text[..self.span.start].rfind('\n').map_or(0, |at| at + 1);
            let end = self.text[self.span.start..]
                .find('\n')
                .map_or(self.text.len(), |at| self.span.start + at);
            let before = self.text[start..self.span.start].chars().count();
            let wrong = self.text[self.span.start..self.span.end.min(end)].chars().count().max(1);
            // A tab or an escape would move what stands above the marks.
            let line: String = self.text[start..end]
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            write!(f, "\n  {line}\n  {:before$}{}", "", "^".repeat(wrong))?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n{suggestion}"),
            None => Ok(()),
        }
    }
}

/// The same while the text is still being read.
#[derive(Debug)]
pub(super) struct Problem {
    pub span: Range<usize>,
    pub message: String,
    pub suggestion: Option<String>,
}

impl Problem {
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), suggestion: None }
    }

    /// With what would be right.
    pub fn hint(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }

    /// With the text that it is about.
    pub fn of(self, text: &str) -> SelectorError {
        let Self { span, message, suggestion } = self;
        SelectorError { text: text.to_owned(), span, message, suggestion }
    }
}
