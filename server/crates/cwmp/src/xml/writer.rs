//! Writes markup: names are the caller's literals, all text is escaped (S9).
//!
//! Never writes an XML declaration (S8) and never closes an empty element in its own tag (S10).

use super::is_xml_char;

/// A document in the making.
#[derive(Debug)]
pub struct Writer {
    out: String,
    quote: char,
}

impl Writer {
    /// An empty document whose attributes stand in `quote` (either kind).
    pub fn new(quote: char) -> Self {
        Self { out: String::with_capacity(2048), quote }
    }

    /// Writes a start tag; `attributes` are names and unescaped values.
    pub fn open(&mut self, tag: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push('=');
            self.out.push(self.quote);
            escape_into(&mut self.out, value);
            self.out.push(self.quote);
        }
        self.out.push('>');
    }

    /// Writes an end tag.
    pub fn close(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    /// Writes an element that holds nothing but text.
    pub fn leaf(&mut self, tag: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(tag, attributes);
        escape_into(&mut self.out, text);
        self.close(tag);
    }

    /// The document so far.
    pub fn finish(self) -> String {
        self.out
    }
}

/// Appends `text` with markup characters and quotes escaped. A carriage return becomes a reference,
/// or the reader would take it for half a line end; what XML 1.0 cannot carry is left out.
pub fn escape_into(out: &mut String, text: &str) {
    let mut clean = 0;
    for (at, c) in text.char_indices() {
        let replacement = match c {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&quot;",
            '\'' => "&apos;",
            '\r' => "&#13;",
            c if !is_xml_char(c) => "",
            _ => continue,
        };
        out.push_str(&text[clean..at]);
        out.push_str(replacement);
        clean = at + c.len_utf8();
    }
    out.push_str(&text[clean..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_markup_and_quotes_and_drops_the_impossible() {
        let mut out = String::new();
        escape_into(&mut out, "a<b>&\"'\r\n\0\u{ffff}\u{b2}\u{1f600}");
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;&apos;&#13;\n\u{b2}\u{1f600}");
    }

    #[test]
    fn empty_elements_have_two_tags_and_attributes_are_escaped() {
        let mut xml = Writer::new('\'');
        xml.open("a", &[("b", "it's")]);
        xml.leaf("c", &[], "");
        xml.close("a");
        assert_eq!(xml.finish(), "<a b='it&apos;s'><c></c></a>");
    }
}
