//! What a script writes, so that it can be said of a line of an export whether the script wrote it.

use std::collections::BTreeSet;

use crate::lex::{Inside, lex, statements_under, walk};
use crate::menus;

/// Arguments that say which item is meant or where it goes, and are no properties.
const NO_PROPERTIES: [&str; 3] = ["numbers", "place-before", "copy-from"];
/// Pairs that are kept.
const MAX_PAIRS: usize = 20_000;

/// The menus and properties that a script sets, wherever in it: `("/ip/dns", "servers")`.
pub fn written_by(script: &str) -> BTreeSet<(String, String)> {
    let mut written = BTreeSet::new();
    walk(script, &lex(script), "/", &mut |visit| {
        let statement = visit.statement;
        if visit.inside == Inside::Value || written.len() >= MAX_PAIRS {
            return;
        }
        // As an export has it, which never shortens it.
        let menu = menus::in_full(&statement.menu).unwrap_or_else(|| statement.menu.clone());
        match statement.verb.as_deref() {
            Some("add" | "set") => {
                let names = statement.arguments.iter().map(|(name, _)| name);
                let is_property =
                    |name: &&String| !name.is_empty() && !NO_PROPERTIES.contains(&name.as_str());
                let pair = |name: &String| (menu.clone(), name.clone());
                written.extend(names.filter(is_property).map(pair));
            }
            Some("enable" | "disable") => {
                written.insert((menu, "disabled".to_owned()));
            }
            _ => {}
        }
    });
    written
}

/// Whether a line of an export that stands in this menu says something that was written by a script.
pub fn touched(written: &BTreeSet<(String, String)>, menu: &str, line: &str) -> bool {
    statements_under(line, menu).into_iter().any(|statement| {
        let menu = statement.menu;
        statement.arguments.into_iter().any(|(name, _)| written.contains(&(menu.clone(), name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_sets_is_known_by_menu_and_property() {
        let written = written_by(
            "/ip dns set servers=1.1.1.1\n/ip pool\n\
             :if ([:len [find name=p]]=0) do={ add name=p ranges=$r comment=x }\n\
             /interface wifi { set [find default-name=wifi1] configuration.ssid=\"a\"\n\
             security set [find] passphrase=x numbers=0 }\n/ip service disable telnet\n\
             :local find [/ip pool find name=x]\n/system identity print as-value=yes",
        );
        let pairs: Vec<_> = written.iter().map(|(menu, name)| format!("{menu} {name}")).collect();
        assert_eq!(
            pairs,
            [
                "/interface/wifi configuration.ssid",
                "/interface/wifi/security passphrase",
                "/ip/dns servers",
                "/ip/pool comment",
                "/ip/pool name",
                "/ip/pool ranges",
                "/ip/service disabled",
            ]
        );
        let short = written_by("/ip poo set [find] ranges=1.1.1.1");
        assert!(short.contains(&("/ip/pool".to_owned(), "ranges".to_owned())), "{short:?}");
        assert!(touched(&written, "/ip/dns", "set servers=9.9.9.9"));
        assert!(touched(&written, "/", "/ip dns set cache-size=1 servers=9.9.9.9"));
        assert!(!touched(&written, "/ip/dns", "set cache-size=1"));
        assert!(!touched(&written, "/ip/address", "add name=p"));
        assert!(!touched(&written, "/ip/dns", "/ip dns"));
    }
}
