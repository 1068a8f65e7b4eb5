//! What `/export` prints (routeros.md section 12): what differs from how a board comes, menu by menu,
//! without its secrets.

use muster_routeros::quote::quote;

use crate::board::{Board, linked};
use crate::menus::Item;
use crate::script::names;

/// Columns of a line; a longer one is wrapped between words.
const WIDTH: usize = 80;
/// Menus that are no configuration, or that RouterOS keeps to itself.
const UNTOLD: [&str; 4] = ["/certificate", "/file", "/interface/wifi/radio", "/user"];
/// How the names of secrets end.
const SECRETS: [&str; 8] = [
    "password",
    "passphrase",
    "secret",
    "pre-shared-key",
    "preshared-key",
    "private-key",
    "auth-key",
    "enc-key",
];

impl Board<'_> {
    /// The text; `time` is the header's.
    pub(crate) fn export(&self, time: &str) -> String {
        let (identity, path) = (self.identity, &self.identity.request_path);
        let mut text = format!(
            "# {time} by RouterOS {}\n# software id = {}-{}\n#\n# model = {}\n# serial number = {}\n",
            self.model.value(names::VERSION),
            path[..4].to_uppercase(),
            path[4..8].to_uppercase(),
            identity.profile().board,
            identity.serial,
        );
        let menus = self.configuration.menus().map(|(menu, _)| menu);
        let mut menus: Vec<&str> = menus.filter(|menu| !UNTOLD.contains(menu)).collect();
        menus.sort_by_key(|menu| (rank(menu), *menu));
        for menu in menus {
            let Some(shown) = self.air.shown(menu) else { continue };
            let items = self.items(menu);
            let lines: Vec<String> =
                items.iter().filter_map(|item| self.line(menu, item)).collect();
            if !lines.is_empty() {
                text += &format!("/{}\n", shown[1..].replace('/', " "));
                text.extend(lines);
            }
        }
        text
    }

    /// An item's line; none for one that is as it comes.
    fn line(&self, menu: &str, item: &Item) -> Option<String> {
        let mut names: Vec<&str> = item.properties.keys().map(String::as_str).collect();
        names.extend(linked(menu));
        names.sort_unstable();
        names.dedup();
        let words: Vec<String> = names
            .into_iter()
            .filter(|name| !SECRETS.iter().any(|end| name.ends_with(*end)))
            .filter_map(|name| {
                let value = self.read(menu, item, name);
                let given = item.given.as_ref().and_then(|given| given.properties.get(name));
                let is_new = given.map_or("", String::as_str) != value;
                is_new.then(|| format!("{name}={}", word(&value)))
            })
            .collect();
        match &item.given {
            Some(_) if words.is_empty() => None,
            Some(given) if given.handle.is_empty() => Some(wrapped("set".to_owned(), &words)),
            Some(given) => Some(wrapped(format!("set {}", given.handle), &words)),
            None => Some(wrapped("add".to_owned(), &words)),
        }
    }
}

/// What others name comes before them, so that the text can be run.
fn rank(menu: &str) -> u8 {
    match menu.strip_prefix("/interface/") {
        Some(below) if !below.contains('/') => 0,
        _ if menu == "/ip/pool" => 1,
        _ => 2,
    }
}

/// A value, between quotes where it needs them.
fn word(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/,@*+!".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) { value.to_owned() } else { quote(value) }
}

/// A command and its words, on as many lines as they need.
fn wrapped(start: String, words: &[String]) -> String {
    let mut text = start;
    let mut column = text.len();
    for word in words {
        // Room for the blank before it and the backslash behind.
        if column + word.len() + 3 > WIDTH && column > 4 {
            text += " \\\n    ";
            column = 4;
        } else {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += word.len();
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_has_them() {
        for plain in ["bridge", "192.168.88.1/24", "established,related", "!LAN", "5m"] {
            assert_eq!(word(plain), plain);
        }
        for (value, quoted) in [("", "\"\""), ("a b", "\"a b\""), ("a$b", "\"a\\$b\"")] {
            assert_eq!(word(value), quoted);
        }
    }

    #[test]
    fn long_lines_go_on_with_an_indent() {
        let words: Vec<String> = (0..20).map(|n| format!("name-{n}=value-{n}")).collect();
        let text = wrapped("add".to_owned(), &words);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= WIDTH), "{text}");
        assert!(lines[1..].iter().all(|line| line.starts_with("    name-")));
        assert!(lines[..lines.len() - 1].iter().all(|line| line.ends_with(" \\")));
        assert_eq!(text.replace(" \\\n    ", " "), format!("add {}\n", words.join(" ")));
    }
}
