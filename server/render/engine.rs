//! A template and its values become a script: a pure function, in the process that renders and in tests.
//!
//! Owns the two ways in which a value stays what it is: text is written as one RouterOS string, by the
//! language's own escaping, which nothing in a template can turn off; and what comes out is read once
//! more, so that none of these strings stands where another has begun.

use std::collections::HashMap;
use std::io::{self, Write};

use muster_routeros::lint::Severity;
use serde_json::Value;
use tera::{Context, ErrorKind, Tera};

use super::place::{self, Misplaced};
use super::{filters, scan};

/// The name of each template: by its ending what it writes is escaped.
const NAME: &str = "template.rsc";
/// Bytes of a script.
pub const MAX_OUTPUT: usize = 256 * 1024;
/// How often `elif` may stand in a template: the language reads each of a chain within the one before,
/// on the stack of whoever reads it, which is the server's own for a template that is only looked at.
const MAX_ELIF: usize = 100;
/// Bytes of templates that are kept ready to render.
const READY_BYTES: usize = 1 << 20;

/// Why there is no script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The template is wrong, or does not fit its values.
    Mistake(String),
    /// It is larger than [`MAX_OUTPUT`].
    TooMuch,
}

/// Renders templates, and keeps them ready to be rendered again.
pub struct Engine {
    plain: Tera,
    ready: HashMap<String, Tera>,
    bytes: usize,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// One that knows no template yet.
    pub fn new() -> Self {
        let mut plain = Tera::new();
        plain.autoescape_on([".rsc"]);
        filters::install(&mut plain);
        Self { plain, ready: HashMap::new(), bytes: 0 }
    }

    /// The script that a template gives with the values in `context`, an object.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn render(&mut self, template: &str, context: &Value) -> Result<String, Refusal> {
        if !self.ready.contains_key(template) {
            let compiled = self.compiled(template)?;
            if self.bytes + template.len() > READY_BYTES {
                self.ready.clear();
                self.bytes = 0;
            }
            self.bytes += template.len();
            self.ready.insert(template.to_owned(), compiled);
        }
        let tera = &self.ready[template];
        let context = Context::from_serialize(context).map_err(|e| mistake(&e))?;
        let mut output = Capped { bytes: Vec::with_capacity(template.len()), full: false };
        let done = tera.render_to(NAME, &context, &mut output);
        if output.full {
            return Err(Refusal::TooMuch);
        }
        done.map_err(|e| mistake(&e))?;
        let marked = String::from_utf8(output.bytes)
            .map_err(|_| Refusal::Mistake("it gave no text".to_owned()))?;
        let (script, misplaced) = place::settle(&marked);
        match misplaced.first() {
            Some(Misplaced { line, fault }) => {
                let words = format!("line {line} of the script: {}", fault.words());
                Err(Refusal::Mistake(words))
            }
            None => Ok(script),
        }
    }

    fn compiled(&self, template: &str) -> Result<Tera, Refusal> {
        let scan = scan::scan(template);
        if let Some(found) = scan.findings.iter().find(|f| f.severity == Severity::Error) {
            return Err(Refusal::Mistake(format!("line {}: {}", found.line, found.words)));
        }
        self.compile(&scan.template).map_err(|e| mistake(&e))
    }

    fn compile(&self, source: &str) -> Result<Tera, tera::Error> {
        if source.matches("elif").count() > MAX_ELIF {
            let words =
                format!("`elif` more than {MAX_ELIF} times: write it with maps, or take two");
            return Err(tera::Error::message(words));
        }
        let mut tera = self.plain.clone();
        tera.add_raw_template(NAME, source)?;
        Ok(tera)
    }

    /// The names that a template uses and does not set itself, in order.
    ///
    /// # Errors
    /// Line and words, for a template that is none.
    pub(super) fn names(&self, scanned: &str) -> Result<Vec<String>, (Option<usize>, String)> {
        let tera = self.compile(scanned).map_err(|e| told(&e))?;
        let names = tera.get_template_variables(NAME).map_err(|e| told(&e))?;
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }
}

fn mistake(error: &tera::Error) -> Refusal {
    let (line, words) = told(error);
    Refusal::Mistake(match line {
        Some(line) => format!("line {line}: {words}"),
        None => words,
    })
}

/// Where a template is wrong, and why, without the picture that the language draws of it.
fn told(error: &tera::Error) -> (Option<usize>, String) {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            (Some(report.span().start_line), report.message().to_owned())
        }
        _ => {
            // A report as text: `error: WORDS`, then `--> NAME:LINE:COLUMN`.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let words = first.strip_prefix("error: ").unwrap_or(first).to_owned();
            let place = text.split_once("--> ").and_then(|(_, rest)| rest.split(':').nth(1));
            (place.and_then(|line| line.parse().ok()), words)
        }
    }
}

/// Takes so much and no more.
struct Capped {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.full = true;
            return Err(io::Error::other("the script is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
