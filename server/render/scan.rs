//! What a template is made of, and the same template with each value on its way through the filter
//! that writes it. Pure.
//!
//! Owns which parts of the template language scripts may have. What is not read here as the language
//! itself reads it costs a message, never a quote: text is quoted by the language's own escaping as
//! well, and `place` looks at what came out.

use muster_routeros::lint::{Finding, Severity};

use super::filters::{BANNED, VALUE};
use super::place::{CLOSE, OPEN};

/// Tags that a script may have. Not among them: other templates and parts of them, and blocks of script
/// that are taken for a value.
const TAGS: [&str; 12] = [
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "break",
    "continue",
    "set",
    "set_global",
    "raw",
    "endraw",
];

/// A template, read.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The template that is rendered.
    pub template: String,
    /// The script around the values, each value being a marked string. Tags are blanks.
    pub skeleton: String,
    /// What may not be.
    pub findings: Vec<Finding>,
}

/// Reads a template.
pub(super) fn scan(body: &str) -> Scan {
    let mut reader = Reader { body, at: 0, line: 1, scan: Scan::default() };
    if let Some(bad) = body.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        let line = 1 + body[..bad].matches('\n').count();
        reader.error(line, "control", "a control character: write it as an escape of a string");
    }
    while reader.step() {}
    reader.scan
}

struct Reader<'a> {
    body: &'a str,
    at: usize,
    line: usize,
    scan: Scan,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.body[self.at..]
    }

    fn error(&mut self, line: usize, code: &'static str, words: impl Into<String>) {
        let words = words.into();
        self.scan.findings.push(Finding { line, severity: Severity::Error, code, words });
    }

    /// Goes on by so many bytes; gives them.
    fn take(&mut self, bytes: usize) -> &'a str {
        let taken = &self.rest()[..bytes];
        self.at += bytes;
        self.line += taken.matches('\n').count();
        taken
    }

    /// Text and the next thing that is none; false = that was all.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let starts = ["{{", "{%", "{#"];
        let next = starts.iter().filter_map(|start| rest.find(start)).min();
        let text = self.take(next.unwrap_or(rest.len()));
        self.scan.template.push_str(text);
        self.scan.skeleton.push_str(text);
        match self.rest().get(..2) {
            Some("{{") => self.value(),
            Some("{%") => self.tag(),
            Some("{#") => self.remark(),
            _ => false,
        }
    }

    fn unclosed(&mut self, close: &str) -> bool {
        let line = self.line;
        self.error(line, "syntax", format!("`{close}` is missing"));
        let rest = self.take(self.rest().len());
        self.scan.template.push_str(rest);
        false
    }

    fn value(&mut self) -> bool {
        let Some(end) = end_of(&self.rest()[2..], "}}") else { return self.unclosed("}}") };
        let line = self.line;
        let whole = self.take(end + 4);
        let inner = &whole[2..end + 2];
        self.judge_filters(line, inner);
        let (begin, inner) = match inner.strip_prefix('-') {
            Some(inner) => ("{{-", inner),
            None => ("{{", inner),
        };
        let (inner, end) = match inner.strip_suffix('-') {
            Some(inner) => (inner, "-}}"),
            None => (inner, "}}"),
        };
        for part in [begin, "(", inner, ")|", VALUE, end] {
            self.scan.template.push_str(part);
        }
        self.scan.skeleton.push(OPEN);
        self.blank(whole);
        self.scan.skeleton.push(CLOSE);
        true
    }

    fn tag(&mut self) -> bool {
        let Some(end) = end_of(&self.rest()[2..], "%}") else { return self.unclosed("%}") };
        let line = self.line;
        let inner = trimmed(&self.rest()[2..end + 2]);
        let length = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = &inner[..length.unwrap_or(inner.len())];
        if !TAGS.contains(&word) {
            self.error(line, "tag", tag_words(word));
        }
        let tag = self.take(end + 4);
        self.judge_filters(line, tag);
        self.scan.template.push_str(tag);
        if inner == "raw" {
            return self.raw();
        }
        self.scan.skeleton.push(' ');
        self.blank(tag);
        true
    }

    /// What is script as it stands, up to its end.
    fn raw(&mut self) -> bool {
        loop {
            let Some(next) = self.rest().find("{%") else { return self.unclosed("{% endraw %}") };
            let text = self.take(next);
            self.scan.template.push_str(text);
            self.scan.skeleton.push_str(text);
            let tail = &self.rest()[2..];
            let end = tail.find("%}").filter(|end| trimmed(&tail[..*end]) == "endraw");
            let tag = self.take(end.map_or(2, |end| end + 4));
            self.scan.template.push_str(tag);
            if end.is_some() {
                return true;
            }
            self.scan.skeleton.push_str(tag);
        }
    }

    fn remark(&mut self) -> bool {
        let Some(end) = self.rest()[2..].find("#}") else { return self.unclosed("#}") };
        let remark = self.take(end + 4);
        self.scan.template.push_str(remark);
        self.blank(remark);
        true
    }

    /// Keeps the lines of the skeleton those of the template.
    fn blank(&mut self, text: &str) {
        let lines = text.matches('\n').count();
        self.scan.skeleton.extend(std::iter::repeat_n('\n', lines));
    }

    fn judge_filters(&mut self, line: usize, expression: &str) {
        for name in BANNED {
            if filters(expression).any(|filter| filter == name) {
                let words = format!("`{name}` is not for scripts: values are always quoted");
                self.error(line, "filter", words);
            }
        }
    }
}

fn tag_words(word: &str) -> String {
    match word {
        "endset" => "a block between `set` and `endset` would be script taken for a value: write \
             `{% set name = ... %}`"
            .to_owned(),
        "" => "a tag begins with a word, such as `if`".to_owned(),
        word => format!(
            "`{word}` is not for scripts: a template stands alone, with if, for, set and raw"
        ),
    }
}

/// The inside of a tag without what trims the text around it.
fn trimmed(inner: &str) -> &str {
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    inner.strip_suffix('-').unwrap_or(inner).trim()
}

/// Where an expression ends, outside of its strings.
fn end_of(text: &str, close: &str) -> Option<usize> {
    outside_strings(text).map(|(at, _)| at).find(|at| text[*at..].starts_with(close))
}

/// The characters of an expression that are in none of its strings.
fn outside_strings(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut escaped = false;
    text.char_indices().filter(move |(_, c)| match quote {
        Some(open) => {
            if escaped {
                escaped = false;
            } else if *c == '\\' {
                escaped = true;
            } else if *c == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(c, '"' | '\'' | '`') {
                quote = Some(*c);
            }
            true
        }
    })
}

/// The names of the filters of an expression.
fn filters(expression: &str) -> impl Iterator<Item = &str> {
    let pipes = outside_strings(expression).filter(|(_, c)| *c == '|');
    pipes.map(move |(at, _)| {
        let name = expression[at + 1..].trim_start();
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &name[..end.unwrap_or(name.len())]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_goes_through_the_filter_and_the_rest_stays() {
        for (body, template) in [
            ("a {{ b }} c", "a {{( b )|rsc}} c"),
            ("{{- b -}}", "{{-( b )|rsc-}}"),
            ("{{ \"}}\" ~ b }}", "{{( \"}}\" ~ b )|rsc}}"),
            ("{{ 'it\\'s }}' }}{{ b }}", "{{( 'it\\'s }}' )|rsc}}{{( b )|rsc}}"),
            ("{% if a == \"%}\" %}x{% endif %}", "{% if a == \"%}\" %}x{% endif %}"),
            (
                "{% raw %}{{ a }}{% x %}{% endraw %}{{ b }}",
                "{% raw %}{{ a }}{% x %}{% endraw %}{{( b )|rsc}}",
            ),
            ("{# {{ a }} #}{{ b }}", "{# {{ a }} #}{{( b )|rsc}}"),
            ("{ { a } }", "{ { a } }"),
        ] {
            let scan = scan(body);
            assert_eq!((scan.template.as_str(), scan.findings.len()), (template, 0), "{body}");
        }
    }

    #[test]
    fn the_skeleton_has_the_lines_of_the_template() {
        let scan = scan("a={{ x\n}}\n{%\nif b %}# c\n{% endif %}");
        let lines: Vec<&str> = scan.skeleton.split('\n').collect();
        let (open, close) = (format!("a={OPEN}"), CLOSE.to_string());
        assert_eq!(lines, [open.as_str(), close.as_str(), " ", "# c", " "]);
    }

    #[test]
    fn what_is_not_for_scripts_is_found_with_its_line() {
        for (body, line, code) in [
            ("\n{% include \"x\" %}", 2, "tag"),
            ("{% extends \"x\" %}", 1, "tag"),
            ("{%- block a -%}{% if b %}", 1, "tag"),
            ("{% filter upper %}", 1, "tag"),
            ("{% macro a() %}", 1, "tag"),
            ("{% component A() %}", 1, "tag"),
            ("{% <A> %}", 1, "tag"),
            ("{% set a %}x\n{% endset %}", 2, "tag"),
            ("{{ a | safe }}", 1, "filter"),
            ("\n{% set a = b|safe %}", 2, "filter"),
            ("{{ a\n}} {{ b }", 2, "syntax"),
            ("a\n{% if", 2, "syntax"),
            ("{# x", 1, "syntax"),
            ("{% raw %}x", 1, "syntax"),
            ("a\n\u{1}", 2, "control"),
        ] {
            let found: Vec<(usize, &str)> =
                scan(body).findings.iter().map(|f| (f.line, f.code)).collect();
            assert_eq!(found, [(line, code)], "{body:?}");
        }
        assert!(scan("{{ \"| safe\" }}{{ a or b | safer }}").findings.is_empty());
    }
}
