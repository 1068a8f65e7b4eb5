//! A device's parameters as a tree by the steps of their names, and found by words. Pure.
//!
//! Owns how much of it is in one answer: a data model has thousands of parameters, and names as long
//! as a device likes. What is large or deep is only named; the page asks for it when it is opened.

use std::collections::BTreeMap;
use std::ops::Bound;

use chrono::{DateTime, Utc};

use crate::fleet::secret::is_secret;
use crate::service::devices::DeviceParameters;

/// A branch with at most so many parameters comes with what it stands in.
const SMALL: usize = 12;
/// Parameters that come so, in one answer.
const BUDGET: usize = 240;
/// Branches within branches that come so.
const DEPTH: usize = 3;

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known<'a> {
    /// Full name.
    pub(super) name: &'a str,
    /// Secrets are masked.
    pub(super) value: &'a str,
    /// XSD type; empty for a counter.
    pub(super) kind: &'static str,
    /// `None` = not told yet, or a counter.
    pub(super) writable: Option<bool>,
    /// When this value was learned; a counter's, when it was read.
    pub(super) at: Option<DateTime<Utc>>,
    /// It changes by itself.
    pub(super) counter: bool,
}

/// All of a device, by name.
pub(super) type Rows<'a> = BTreeMap<&'a str, Known<'a>>;

/// The document and the counters as one.
pub(super) fn rows(parameters: &DeviceParameters) -> Rows<'_> {
    let mut rows: Rows<'_> = BTreeMap::new();
    for (name, entry) in &parameters.document {
        let known = Known {
            name,
            value: &entry.value,
            kind: entry.kind.xsd(),
            writable: entry.writable,
            at: DateTime::from_timestamp(entry.at, 0),
            counter: false,
        };
        rows.insert(name, known);
    }
    if let Some((counters, at)) = &parameters.counters {
        for (name, value) in counters {
            let kind = rows.get(name.as_str()).map_or("", |row| row.kind);
            let at = Some(*at);
            let known = Known { name, value, kind, writable: None, at, counter: true };
            rows.insert(name, known);
        }
    }
    rows
}

/// A part of the tree, in the order in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A branch begins; what follows is in it, up to its [`Item::Close`].
    Open(Branch),
    /// It ends.
    Close,
    /// A branch that is only named.
    Lazy(Branch),
    /// A parameter.
    Leaf(Known<'a>),
}

/// A step of names that has more below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    /// Full path, ending in a dot.
    pub(super) path: String,
    /// Its last step.
    pub(super) step: String,
    /// What a row of a table is called.
    pub(super) label: String,
    /// Parameters below it.
    pub(super) count: usize,
    /// All below it are numbered rows.
    pub(super) table: bool,
    /// It is a row of a table.
    pub(super) row: bool,
}

/// What stands directly below a path, which ends in a dot or is empty; small branches with what is
/// in them.
pub(super) fn below<'a>(rows: &Rows<'a>, path: &str) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    let mut budget = BUDGET;
    walk(rows, path, 0, &mut budget, &mut items);
    items
}

fn walk<'a>(
    rows: &Rows<'a>,
    path: &str,
    depth: usize,
    budget: &mut usize,
    items: &mut Vec<Item<'a>>,
) {
    let (branches, leaves) = level(rows, path);
    items.extend(leaves.into_iter().map(Item::Leaf));
    for branch in branches {
        if depth >= DEPTH || branch.count > SMALL || branch.count > *budget {
            items.push(Item::Lazy(branch));
            continue;
        }
        *budget -= branch.count;
        let path = branch.path.clone();
        items.push(Item::Open(branch));
        walk(rows, &path, depth + 1, budget, items);
        items.push(Item::Close);
    }
}

/// The names below a path.
pub(super) fn within<'r, 'a>(rows: &'r Rows<'a>, path: &'r str) -> impl Iterator<Item = Known<'a>> {
    let from = (Bound::Included(path), Bound::Unbounded);
    rows.range::<str, _>(from)
        .take_while(move |(name, _)| name.starts_with(path))
        .map(|(_, known)| *known)
}

/// The branches and the parameters directly below a path.
fn level<'a>(rows: &Rows<'a>, path: &str) -> (Vec<Branch>, Vec<Known<'a>>) {
    let mut branches: Vec<Branch> = Vec::new();
    let mut leaves = Vec::new();
    for known in within(rows, path) {
        let rest = &known.name[path.len()..];
        let Some((step, deeper)) = rest.split_once('.') else {
            leaves.push(known);
            continue;
        };
        let numbered = deeper.split_once('.').is_some_and(|(next, _)| number(next).is_some());
        match branches.last_mut().filter(|branch| branch.step == step) {
            Some(branch) => {
                branch.count += 1;
                branch.table &= numbered;
            }
            // Names come in order, so those of a branch come together.
            None => branches.push(Branch {
                path: format!("{path}{step}."),
                step: step.to_owned(),
                label: String::new(),
                count: 1,
                table: numbered,
                row: number(step).is_some(),
            }),
        }
    }
    for branch in branches.iter_mut().filter(|branch| branch.row) {
        branch.label = label(rows, &branch.path);
    }
    branches.sort_by(|a, b| number(&a.step).cmp(&number(&b.step)).then(a.step.cmp(&b.step)));
    (branches, leaves)
}

fn number(step: &str) -> Option<u32> {
    step.parse().ok()
}

/// What a row of a table is called by people: the first that it has of these.
fn label(rows: &Rows<'_>, path: &str) -> String {
    const TELLING: [&str; 8] = [
        "Name",
        "SSID",
        "HostName",
        "Alias",
        "Description",
        "IPAddress",
        "DestIPAddress",
        "MACAddress",
    ];
    let value = |last: &&str| {
        let known = rows.get(format!("{path}{last}").as_str())?;
        Some(known.value.trim()).filter(|value| !value.is_empty() && !is_secret(last))
    };
    TELLING.iter().find_map(value).unwrap_or_default().to_owned()
}

/// The parameters of which all words stand in the name or the value, in any case; and how many they
/// are in all. Values of secrets are not looked at.
pub(super) fn search<'a>(rows: &Rows<'a>, text: &str, most: usize) -> (Vec<Known<'a>>, usize) {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let fits = |known: &&Known<'a>| {
        let name = known.name.to_lowercase();
        let value = if is_secret(known.name) { String::new() } else { known.value.to_lowercase() };
        words.iter().all(|word| name.contains(word.as_str()) || value.contains(word.as_str()))
    };
    let mut found: Vec<Known<'a>> = rows.values().filter(fits).copied().collect();
    let count = found.len();
    found.truncate(most);
    (found, count)
}

/// The paths of the objects that a name or a path stands in, the widest first.
pub(super) fn objects(name: &str) -> Vec<&str> {
    name.match_indices('.').map(|(at, _)| &name[..=at]).collect()
}

/// The path of the object that a parameter stands in.
pub(super) fn object_of(name: &str) -> &str {
    name.rfind('.').map_or("", |at| &name[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known<'a>(name: &'a str, value: &'a str) -> (&'a str, Known<'a>) {
        let known = Known { name, value, kind: "string", writable: None, at: None, counter: false };
        (name, known)
    }

    fn shape(items: &[Item<'_>]) -> String {
        let mut out = String::new();
        for item in items {
            match item {
                Item::Open(branch) => out.push_str(&format!("{}{{ ", branch.step)),
                Item::Close => out.push_str("} "),
                Item::Lazy(branch) => out.push_str(&format!("{}({}) ", branch.step, branch.count)),
                Item::Leaf(known) => {
                    let step = &known.name[object_of(known.name).len()..];
                    out.push_str(&format!("{step} "));
                }
            }
        }
        out.trim_end().to_owned()
    }

    #[test]
    fn names_become_branches_and_rows_stand_in_order_of_their_numbers() {
        let rows = Rows::from([
            known("Device.WiFi.SSID.10.SSID", "Cellar"),
            known("Device.WiFi.SSID.2.SSID", "Attic"),
            known("Device.WiFi.SSID.2.Enable", "true"),
            known("Device.WiFi.RadioNumberOfEntries", "2"),
            known("Device.RootDataModelVersion", "2.15"),
        ]);
        assert_eq!(
            shape(&below(&rows, "")),
            "Device{ RootDataModelVersion WiFi{ RadioNumberOfEntries SSID{ 2(2) 10(1) } } }"
        );
        let items = below(&rows, "Device.WiFi.");
        let branch = |step: &str| {
            items.iter().find_map(|item| match item {
                Item::Open(branch) | Item::Lazy(branch) if branch.step == step => Some(branch),
                _ => None,
            })
        };
        let table = branch("SSID").expect("it is there");
        assert!(table.table && !table.row);
        assert_eq!((table.path.as_str(), table.count), ("Device.WiFi.SSID.", 3));
        let row = branch("10").expect("it is there");
        assert!(row.row && !row.table);
        assert_eq!(row.label, "Cellar");
    }

    #[test]
    fn what_is_large_or_deep_is_only_named() {
        let names: Vec<String> = (0..=SMALL).map(|n| format!("A.Big.P{n}")).collect();
        let deep = format!("A.{}", "x.".repeat(200)) + "y";
        let mut rows: Rows<'_> = names.iter().map(|name| known(name, "v")).collect();
        rows.extend([known("A.Small.P", "v"), known(&deep, "v")]);
        assert_eq!(shape(&below(&rows, "A.")), "Big(13) Small{ P } x{ x{ x{ x(1) } } }");
        assert_eq!(below(&rows, "A.Big.").len(), SMALL + 1);
    }

    #[test]
    fn an_answer_is_bounded_however_many_branches_there_are() {
        let names: Vec<String> =
            (0..2 * BUDGET).map(|n| format!("A.T.{}.P{}", n / SMALL, n % SMALL)).collect();
        let rows: Rows<'_> = names.iter().map(|name| known(name, "v")).collect();
        let leaves =
            |items: &[Item<'_>]| items.iter().filter(|item| matches!(item, Item::Leaf(_))).count();
        let items = below(&rows, "A.T.");
        assert_eq!(leaves(&items), BUDGET / SMALL * SMALL);
        assert!(items.iter().any(|item| matches!(item, Item::Lazy(_))));
    }

    #[test]
    fn a_path_is_no_prefix_of_a_longer_step() {
        let rows = Rows::from([known("A.B.C", "1"), known("A.BB.C", "2"), known("A.B", "3")]);
        assert_eq!(shape(&below(&rows, "A.B.")), "C");
        assert_eq!(shape(&below(&rows, "A.")), "B B{ C } BB{ C }");
        assert!(below(&rows, "X.").is_empty());
        assert_eq!(within(&rows, "A.B").count(), 3);
    }

    #[test]
    fn all_words_are_looked_for_in_names_and_values_but_not_in_secrets() {
        let rows = Rows::from([
            known("Device.WiFi.SSID.1.SSID", "Café 5G"),
            known("Device.WiFi.SSID.2.SSID", "Cellar"),
            known("Device.ManagementServer.Password", "hunter2"),
        ]);
        let found = |text: &str| {
            let (found, count) = search(&rows, text, 1);
            (found.iter().map(|known| known.value).collect::<Vec<_>>(), count)
        };
        assert_eq!(found("ssid CAFÉ"), (vec!["Café 5G"], 1));
        assert_eq!(found("wifi"), (vec!["Café 5G"], 2));
        assert_eq!(found("hunter2"), (vec![], 0));
        assert_eq!(found("password"), (vec!["hunter2"], 1));
    }

    #[test]
    fn a_name_stands_in_objects() {
        assert_eq!(objects("A.B.1.C"), ["A.", "A.B.", "A.B.1."]);
        assert_eq!(objects("A.B."), ["A.", "A.B."]);
        assert_eq!(object_of("A.B.1.C"), "A.B.1.");
        assert_eq!(object_of("A"), "");
    }
}
