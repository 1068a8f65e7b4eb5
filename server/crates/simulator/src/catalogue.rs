//! The factory state of a device model's data model, parsed once from the embedded catalogue.
//!
//! Owns the catalogue's syntax and the rules of a parameter (type, range, flags). It never changes
//! after parsing: ten thousand devices share one [`Catalogue`] per hardware model, and what a
//! device changes lives in its [`crate::model::Model`].

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use muster_cwmp::fault::FaultCode;
use muster_cwmp::value::{Timestamp, ValueType};

use crate::profile::Profile;

const TEXT: &str = include_str!("catalogue.txt");
const ROW: &str = "{i}.";

/// What a parameter may hold and who may change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// XSD type.
    pub kind: ValueType,
    /// The ACS may set it.
    pub writable: bool,
    /// Reads back empty (passwords).
    pub hidden: bool,
    /// Refuses active notification with fault 9009.
    pub deny_active: bool,
    /// Notification is active and cannot be changed.
    pub forced: bool,
    /// Longest string, in characters.
    pub max_length: usize,
    /// Smallest number.
    pub min: i128,
    /// Largest number.
    pub max: i128,
}

impl Spec {
    /// The canonical form of a value that the ACS sets, or why it is refused: 9006 for another
    /// type, 9007 for a value out of range (TR-069 A.3.2.1).
    pub fn check(&self, kind: ValueType, value: &str) -> Result<Arc<str>, FaultCode> {
        if kind != self.kind {
            return Err(FaultCode::INVALID_PARAMETER_TYPE);
        }
        let fits = match self.kind {
            ValueType::Boolean => match value.trim() {
                "1" | "true" => return Ok("1".into()),
                "0" | "false" => return Ok("0".into()),
                _ => false,
            },
            ValueType::Int | ValueType::UnsignedInt | ValueType::Long | ValueType::UnsignedLong => {
                value.trim().parse::<i128>().is_ok_and(|n| (self.min..=self.max).contains(&n))
            }
            ValueType::DateTime => value.contains('T'),
            ValueType::String | ValueType::Base64 | ValueType::HexBinary => {
                value.chars().count() <= self.max_length
            }
        };
        if fits { Ok(value.into()) } else { Err(FaultCode::INVALID_PARAMETER_VALUE) }
    }
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Current value, hidden ones included.
    pub value: Arc<str>,
    /// 0 off, 1 passive, 2 active (A.3.2.4).
    pub notification: u8,
    /// Whether `Subscriber` is in the access list.
    pub subscriber: bool,
    /// Its rules, shared by all rows and devices.
    pub spec: Arc<Spec>,
}

/// A parameter or an object of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A path that ends in a dot; writable: AddObject on the table, DeleteObject on the row.
    Object {
        /// Rows can be added or deleted.
        writable: bool,
    },
    /// A parameter.
    Leaf(Leaf),
}

/// The factory tree of one hardware model.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// By full path; objects end in a dot.
    pub(crate) nodes: BTreeMap<Arc<str>, Node>,
    /// By path with `{i}` for every instance number; values may hold `{i}`.
    schema: BTreeMap<String, Node>,
}

impl Catalogue {
    /// The tree of a device of this hardware model, without anything that tells devices apart.
    pub fn new(profile: &Profile) -> Self {
        let mut parser = Parser {
            profile,
            out: Self { nodes: BTreeMap::new(), schema: BTreeMap::new() },
            rows: BTreeMap::from([(String::new(), vec![Vec::new()])]),
            pattern: String::new(),
            here: Vec::new(),
        };
        for line in TEXT.lines().map(str::trim) {
            if let Some(header) = line.strip_prefix('[') {
                parser.section(header);
            } else if let Some(single) = line.strip_prefix('@') {
                parser.single(single);
            } else if !line.is_empty() && !line.starts_with('#') {
                parser.leaf(line);
            }
        }
        parser.out
    }

    /// What a new row of the table holds, by path below the row; empty when the path names no
    /// table. Tables within the row start empty.
    pub(crate) fn new_row(&self, table: &str, number: u32) -> Vec<(String, Node)> {
        let prefix = format!("{}{ROW}", pattern_of(table));
        let number = number.to_string();
        self.schema
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .take_while(|(pattern, _)| pattern.starts_with(&prefix))
            .filter(|(pattern, _)| !pattern[prefix.len()..].contains(ROW))
            .map(|(pattern, node)| {
                let mut node = node.clone();
                if let Node::Leaf(leaf) = &mut node {
                    leaf.value = leaf.value.replace("{i}", &number).into();
                }
                (pattern[prefix.len()..].to_owned(), node)
            })
            .collect()
    }
}

/// The path with `{i}` in place of every instance number.
pub(crate) fn pattern_of(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('.')
        .map(|part| {
            let number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if number { "{i}" } else { part }
        })
        .collect();
    parts.join(".")
}

struct Parser<'a> {
    profile: &'a Profile,
    out: Catalogue,
    /// Instances by row pattern, each as the numbers that fill its `{i}`s.
    rows: BTreeMap<String, Vec<Vec<u32>>>,
    /// The open section; empty while skipping one that this model lacks.
    pattern: String,
    here: Vec<Vec<u32>>,
}

impl Parser<'_> {
    fn section(&mut self, header: &str) {
        let (pattern, options) = header.split_once(']').expect("a section header ends in ]");
        let table = pattern.strip_suffix(ROW);
        let outer = table.unwrap_or(pattern);
        let above = outer.rfind(ROW).map_or("", |at| &outer[..at + ROW.len()]);
        self.pattern.clear();
        let Some(parents) = self.rows.get(above).cloned() else { return };
        if !self.has_features(options) {
            return;
        }
        pattern.clone_into(&mut self.pattern);
        let Some(table) = table else {
            self.put_all(pattern, &parents, &Node::Object { writable: false });
            self.here = parents;
            return;
        };
        let writable = options.split_whitespace().any(|option| option == "w");
        self.here = self.instances(options);
        self.put_all(table, &parents, &Node::Object { writable });
        self.put_counters(table, &parents);
        let rows = self.here.clone();
        self.put_all(pattern, &rows, &Node::Object { writable });
        self.rows.insert(pattern.to_owned(), rows);
    }

    fn has_features(&self, options: &str) -> bool {
        options.split_whitespace().all(|option| match option {
            "if=wifi" => self.profile.radios > 0,
            "if=lte" => self.profile.lte,
            _ => true,
        })
    }

    fn instances(&self, options: &str) -> Vec<Vec<u32>> {
        let at = options.split_whitespace().find_map(|option| option.strip_prefix("at="));
        match at {
            None => Vec::new(),
            Some("ports") => (1..=self.profile.ports).map(|port| vec![port]).collect(),
            Some("radios") => (1..=self.profile.radios).map(|radio| vec![radio]).collect(),
            Some(list) => list
                .split(',')
                .map(|row| {
                    let number = |part: &str| part.parse::<u32>().expect("instances are numbers");
                    row.split('.').map(number).collect()
                })
                .collect(),
        }
    }

    /// Every `{i}` table has a sibling `<Name>NumberOfEntries` (routeros.md section 3).
    fn put_counters(&mut self, table: &str, parents: &[Vec<u32>]) {
        let name = counter_of(table);
        let spec = Arc::new(spec("u", "-"));
        let leaf = |count: usize| {
            let value = count.to_string().into();
            let spec = Arc::clone(&spec);
            Node::Leaf(Leaf { value, notification: 0, subscriber: false, spec })
        };
        self.out.schema.insert(name.clone(), leaf(0));
        for parent in parents {
            let count = self.here.iter().filter(|row| row.starts_with(parent)).count();
            self.out.nodes.insert(fill(&name, parent).into(), leaf(count));
        }
    }

    fn leaf(&mut self, line: &str) {
        if self.pattern.is_empty() {
            return;
        }
        let (head, value) = line.split_once(" =").unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let mut word = || words.next().expect("a parameter line is: name type flags");
        let (name, kind, flags) = (word(), word(), word());
        let spec = Arc::new(spec(kind, flags));
        let value = match (value.trim(), spec.kind) {
            ("", ValueType::String) => "",
            ("", ValueType::DateTime) => Timestamp::UNKNOWN,
            ("", _) => "0",
            (value, _) => value,
        };
        let pattern = format!("{}{name}", self.pattern);
        let notification = if spec.forced { 2 } else { 0 };
        let leaf = |value: &str| {
            let spec = Arc::clone(&spec);
            Node::Leaf(Leaf { value: value.into(), notification, subscriber: false, spec })
        };
        for row in &self.here {
            let number = row.last().map(u32::to_string).unwrap_or_default();
            let node = leaf(&value.replace("{i}", &number));
            self.out.nodes.insert(fill(&pattern, row).into(), node);
        }
        self.out.schema.insert(pattern, leaf(value));
    }

    fn single(&mut self, line: &str) {
        let (path, value) = line.split_once(" = ").expect("an @ line is: @path = value");
        // The model may lack the whole section, or this row of it.
        let known = self.pattern.is_empty() || self.out.schema.contains_key(&pattern_of(path));
        assert!(known, "no parameter above this line: @{path}");
        if let Some(Node::Leaf(leaf)) = self.out.nodes.get_mut(path) {
            leaf.value = value.into();
        }
    }

    /// Puts an object at each instance of the pattern, and the plain objects above it.
    fn put_all(&mut self, pattern: &str, rows: &[Vec<u32>], node: &Node) {
        self.out.schema.insert(pattern.to_owned(), node.clone());
        for row in rows {
            let path = fill(pattern, row);
            for (dot, _) in path.match_indices('.') {
                self.out
                    .nodes
                    .entry(path[..=dot].into())
                    .or_insert(Node::Object { writable: false });
            }
            self.out.nodes.insert(path.into(), node.clone());
        }
    }
}

/// `Device.Hosts.Host.` to `Device.Hosts.HostNumberOfEntries`.
pub(crate) fn counter_of(table: &str) -> String {
    format!("{}NumberOfEntries", table.trim_end_matches('.'))
}

fn fill(pattern: &str, row: &[u32]) -> String {
    row.iter().fold(pattern.to_owned(), |path, n| path.replacen("{i}", &n.to_string(), 1))
}

fn spec(kind: &str, flags: &str) -> Spec {
    let (word, bounds) = kind.split_once('[').unwrap_or((kind, ""));
    let (name, length) = match word.strip_prefix('s') {
        Some(length) => ("s", length.parse().unwrap_or(usize::MAX)),
        None => (word, usize::MAX),
    };
    let (kind, lowest, highest) = match name {
        "s" => (ValueType::String, 0, 0),
        "b" => (ValueType::Boolean, 0, 1),
        "t" => (ValueType::DateTime, 0, 0),
        "i" => (ValueType::Int, i128::from(i32::MIN), i128::from(i32::MAX)),
        "u" => (ValueType::UnsignedInt, 0, i128::from(u32::MAX)),
        "ul" => (ValueType::UnsignedLong, 0, i128::from(u64::MAX)),
        other => panic!("no such type in the catalogue: {other}"),
    };
    let (min, max) = bounds.trim_end_matches(']').split_once(':').unwrap_or(("", ""));
    Spec {
        kind,
        writable: flags.contains('*'),
        hidden: flags.contains('#'),
        deny_active: flags.contains('!'),
        forced: flags.contains('^'),
        max_length: length,
        min: min.parse().unwrap_or(lowest),
        max: max.parse().unwrap_or(highest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::PROFILES;

    #[test]
    fn every_model_has_some_hundred_parameters_and_whole_paths() {
        for profile in &PROFILES {
            let catalogue = Catalogue::new(profile);
            let leaves = catalogue.nodes.values().filter(|n| matches!(n, Node::Leaf(_))).count();
            assert!((280..=520).contains(&leaves), "{}: {leaves}", profile.product_class);
            for path in catalogue.nodes.keys() {
                let above = path.trim_end_matches('.').rfind('.').map(|dot| &path[..=dot]);
                assert!(
                    above.is_none_or(|above| catalogue.nodes.contains_key(above)),
                    "nothing above {path}"
                );
                assert!(!path.contains('{'), "{path}");
            }
        }
    }

    #[test]
    fn models_differ_by_what_they_have() {
        for profile in &PROFILES {
            let catalogue = Catalogue::new(profile);
            let last = format!("Device.Ethernet.Interface.{}.Enable", profile.ports);
            assert!(catalogue.nodes.contains_key(last.as_str()));
            let radio = "Device.WiFi.Radio.1.Stats.Noise";
            assert_eq!(catalogue.nodes.contains_key(radio), profile.radios > 0);
            let band = "Device.WiFi.Radio.2.OperatingFrequencyBand";
            match catalogue.nodes.get(band) {
                Some(Node::Leaf(leaf)) => assert_eq!((&*leaf.value, profile.radios), ("5GHz", 2)),
                other => assert!(other.is_none() && profile.radios < 2, "{other:?}"),
            }
            let modem = "Device.Cellular.Interface.1.USIM.IMSI";
            assert_eq!(catalogue.nodes.contains_key(modem), profile.lte);
        }
    }

    #[test]
    fn specs_check_type_then_value() {
        let channel = spec("u[1:255]", "*");
        assert_eq!(channel.check(ValueType::UnsignedInt, "255").as_deref(), Ok("255"));
        assert_eq!(channel.check(ValueType::Int, "255"), Err(FaultCode::INVALID_PARAMETER_TYPE));
        for bad in ["0", "256", "", "x"] {
            let refused = channel.check(ValueType::UnsignedInt, bad);
            assert_eq!(refused, Err(FaultCode::INVALID_PARAMETER_VALUE), "{bad:?}");
        }
        assert_eq!(spec("b", "*").check(ValueType::Boolean, "true").as_deref(), Ok("1"));
        let refused = spec("s3", "*").check(ValueType::String, "\u{b2}\u{b2}\u{b2}\u{b2}");
        assert_eq!(refused, Err(FaultCode::INVALID_PARAMETER_VALUE));
    }

    #[test]
    fn a_new_row_has_defaults_and_no_rows_of_its_own() {
        let catalogue = Catalogue::new(&PROFILES[0]);
        let row = catalogue.new_row("Device.DHCPv4.Server.Pool.", 4);
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"StaticAddress."));
        assert!(names.contains(&"StaticAddressNumberOfEntries"));
        assert!(names.contains(&"LeaseTime"));
        assert!(names.iter().all(|name| !name.contains("Yiaddr")));
        assert!(catalogue.new_row("Device.DeviceInfo.", 1).is_empty());
    }
}
