//! What the list is asked for, as its address says it: which devices, which columns, and where the
//! page begins. Pure.
//!
//! Owns the quick filters too: they write into the selector what they mean, and take it out again,
//! so that there is one way to say which devices are meant.

use serde::Serialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::table::Column;
use crate::error::Error;

/// Where the list is.
pub(super) const LIST: &str = "/devices";

/// What an address asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// A selector; empty = all devices.
    pub(super) q: String,
    /// What is shown of each; the serial number is always among it.
    pub(super) columns: Vec<Column>,
    /// The last device of the page before; empty = from the first on.
    after: String,
}

impl ListQuery {
    /// Reads a query string, or the fields of a form. What nobody knows is left out: an old address
    /// still shows devices.
    pub(super) fn read(text: &str) -> Self {
        let (mut q, mut columns, mut after) = (String::new(), Vec::new(), String::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "q" => value.trim().clone_into(&mut q),
                "cols" => columns.extend(value.split(',').filter_map(Column::named)),
                "after" => after = value.into_owned(),
                _ => {}
            }
        }
        Self::new(q, columns, after)
    }

    /// The usual columns where none are given.
    pub(super) fn new(q: String, columns: Vec<Column>, after: String) -> Self {
        let wanted = if columns.is_empty() { Column::USUAL.to_vec() } else { columns };
        let mut columns = Vec::with_capacity(wanted.len() + 1);
        if !wanted.contains(&Column::Serial) {
            columns.push(Column::Serial);
        }
        for column in wanted {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        Self { q, columns, after }
    }

    /// The selector, if there is one.
    pub(super) fn selector(&self) -> Option<String> {
        Some(self.q.clone()).filter(|q| !q.is_empty())
    }

    /// The device after which the page begins.
    pub(super) fn after(&self) -> Result<Option<Uuid>, Error> {
        match self.after.as_str() {
            "" => Ok(None),
            id => Uuid::try_parse(id)
                .map(Some)
                .map_err(|_| Error::invalid("", "this page does not exist: start from the first")),
        }
    }

    /// The columns in one word each, as addresses and saved views have them.
    pub(super) fn words(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.word().to_owned()).collect()
    }

    /// The columns as a query says them; empty where they are the usual ones.
    pub(super) fn cols(&self) -> String {
        if self.columns == Column::USUAL { String::new() } else { self.words().join(",") }
    }

    /// An address with this selector and these columns, after a device; only what is set.
    pub(super) fn address(&self, path: &str, after: &str) -> String {
        let cols = self.cols();
        let fields = [("q", self.q.as_str()), ("cols", cols.as_str()), ("after", after)];
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        match query.finish().as_str() {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// This very page, as another address makes it.
    pub(super) fn here(&self, path: &str) -> String {
        self.address(path, &self.after)
    }

    /// The same columns of other devices.
    pub(super) fn of(&self, q: String) -> Self {
        Self { q, columns: self.columns.clone(), after: String::new() }
    }

    /// The quick filters, each with the address that puts it on or takes it off.
    pub(super) fn quick(&self) -> Vec<Quick> {
        let filters = QUICK.into_iter().map(|(label, term, not)| Quick {
            label,
            on: parts(&self.q).is_some_and(|parts| parts.contains(&term)),
            href: self.of(toggled(&self.q, term, not)).address(LIST, ""),
        });
        filters.collect()
    }
}

/// A filter that a click puts on or takes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Quick {
    label: &'static str,
    on: bool,
    href: String,
}

/// Label, what it means, and what cannot hold beside it.
const QUICK: [(&str, &str, &[&str]); 6] = [
    ("Online", "online", &["not online", "last_inform older 2d"]),
    ("Silent", "not online", &["online"]),
    ("Silent for 2 days", "last_inform older 2d", &["online"]),
    ("New today", "first_inform newer 1d", &[]),
    ("Without a site", "not site", &[]),
    ("Not enrolled", "not enrolled", &[]),
];

/// The selector with this term, or without it where it has it.
fn toggled(q: &str, term: &str, not: &[&str]) -> String {
    let Some(mut parts) = parts(q) else { return format!("({q}) and {term}") };
    let had = parts.contains(&term);
    parts.retain(|part| *part != term && !not.contains(part));
    if !had {
        parts.push(term);
    }
    parts.join(" and ")
}

/// What `and` joins in a selector, outside of quotes and parentheses; `None` = an `or` stands there.
/// It need not be a good selector.
fn parts(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut begin, mut word, mut depth) = (0, 0, 0_usize);
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if let Some(open) = quote {
            quote = Some(open).filter(|open| escaped || c != *open);
            escaped = c == '\\' && !escaped;
            word = at + c.len_utf8();
            continue;
        }
        if !c.is_whitespace() && !"()=<>!~,\"'&|;".contains(c) {
            continue;
        }
        match text[word..at].to_ascii_lowercase().as_str() {
            "or" if depth == 0 => return None,
            "and" if depth == 0 => {
                parts.push(text[begin..word].trim());
                begin = at;
            }
            _ => {}
        }
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '"' | '\'' => quote = Some(c),
            _ => {}
        }
        word = at + c.len_utf8();
    }
    parts.push(text[begin..].trim());
    parts.retain(|part| !part.is_empty());
    Some(parts)
}

/// The selector that finds what somebody looks for by a word that is none.
pub(super) fn search_for(word: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || "_.-:".contains(c);
    let is_word = !word.is_empty() && word.chars().all(plain);
    is_word.then(|| format!("serial ~ \"{word}*\" or identity ~ \"{word}*\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_what_it_says() {
        let query =
            ListQuery::read("q=+model+%7E+%22hAP*%22&cols=serial,site&cols=work&after=x&y=1");
        assert_eq!(query.q, "model ~ \"hAP*\"");
        assert_eq!(query.columns, [Column::Serial, Column::Site, Column::Work]);
        assert!(query.after().is_err());
        let next = query.address(LIST, "1&2");
        assert_eq!(next, "/devices?q=model+%7E+%22hAP*%22&cols=serial%2Csite%2Cwork&after=1%262");
        let (_, text) = next.split_once('?').expect("it has a query");
        assert_eq!(ListQuery::read(text), ListQuery { after: "1&2".to_owned(), ..query });
        assert_eq!(ListQuery::read("").address(LIST, ""), "/devices");
        assert_eq!(ListQuery::read("").selector(), None);
    }

    #[test]
    fn there_are_always_columns_and_the_serial_number_among_them() {
        assert_eq!(ListQuery::read("cols=").columns, Column::USUAL);
        assert_eq!(ListQuery::read("cols=nonsense").columns, Column::USUAL);
        let query = ListQuery::read("cols=site&cols=site,tags");
        assert_eq!(query.columns, [Column::Serial, Column::Site, Column::Tags]);
        assert_eq!(query.words(), ["serial", "site", "tags"]);
        assert!(Column::USUAL.contains(&Column::Serial));
    }

    #[test]
    fn a_selector_falls_into_what_and_joins() {
        let all = |text| parts(text).expect("no or");
        assert_eq!(all(""), Vec::<&str>::new());
        assert_eq!(all("online"), ["online"]);
        assert_eq!(all("a = 1 AND not online and(b = 2)"), ["a = 1", "not online", "(b = 2)"]);
        assert_eq!(all("(a or b) and c"), ["(a or b)", "c"]);
        assert_eq!(
            all("model = \"x and y\" and tag = x-and-y"),
            ["model = \"x and y\"", "tag = x-and-y"]
        );
        assert_eq!(all("model = \"a\\\" or b\""), ["model = \"a\\\" or b\""]);
        assert_eq!(parts("a or b"), None);
        assert_eq!(parts("(a) OR b"), None);
        // Also of what is none.
        assert_eq!(all("\"open and"), ["\"open and"]);
        assert_eq!(all("and ) and ā"), [")", "ā"]);
    }

    #[test]
    fn a_filter_is_put_on_and_taken_off() {
        assert_eq!(toggled("", "online", &[]), "online");
        assert_eq!(toggled("online", "online", &[]), "");
        assert_eq!(toggled("tag = x and online", "online", &[]), "tag = x");
        assert_eq!(
            toggled("online and tag = x", "not online", &["online"]),
            "tag = x and not online"
        );
        assert_eq!(toggled("a = 1 or b = 2", "online", &[]), "(a = 1 or b = 2) and online");
        let query = ListQuery::read("q=not+online&cols=site");
        let on: Vec<&str> = query.quick().iter().filter(|q| q.on).map(|q| q.label).collect();
        assert_eq!(on, ["Silent"]);
        assert_eq!(query.quick()[1].href, "/devices?cols=serial%2Csite");
    }

    #[test]
    fn what_the_filters_write_can_be_read() {
        for (label, term, not) in QUICK {
            for text in not.iter().copied().chain([term]) {
                let read = crate::fleet::selector::parse(text, &|_: &str| None);
                assert!(read.is_ok(), "{label}: {text}");
            }
        }
    }

    #[test]
    fn a_plain_word_is_looked_for() {
        let found = search_for("HEX-01").expect("it is a word");
        assert_eq!(found, "serial ~ \"HEX-01*\" or identity ~ \"HEX-01*\"");
        assert!(crate::fleet::selector::parse(&found, &|_: &str| None).is_ok());
        for text in ["", "a b", "a*", "a\"", "x=1"] {
            assert_eq!(search_for(text), None, "{text}");
        }
    }
}
