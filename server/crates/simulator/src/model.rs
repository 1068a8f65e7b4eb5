//! One device's data model: a shared factory tree and a small overlay of what this device changed.
//!
//! Owns what the parameter RPCs mean (TR-069 A.3.2): reads, atomic sets, rows, attributes, change
//! detection. Pure: it knows no session and no clock; the device tells it what changed on its side.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use muster_cwmp::fault::{Fault, FaultCode, ParameterFault};
use muster_cwmp::rpc::{
    EventStruct, GetParameterNames, ParameterAttribute, ParameterInfo, SetParameterAttributes,
    SetParameterValues,
};
use muster_cwmp::value::ParameterValue;

use crate::catalogue::{Catalogue, Leaf, Node, counter_of, pattern_of};

/// The parameters of every Inform, in RouterOS's order (routeros.md section 2).
pub const FORCED: [&str; 7] = [
    "Device.RootDataModelVersion",
    "Device.DeviceInfo.SoftwareVersion",
    "Device.DeviceInfo.ProvisioningCode",
    "Device.DeviceInfo.HardwareVersion",
    "Device.ManagementServer.ParameterKey",
    "Device.ManagementServer.ConnectionRequestURL",
    "Device.ManagementServer.AliasBasedAddressing",
];

const PARAMETER_KEY: &str = "Device.ManagementServer.ParameterKey";
const INFORM_PARAMETER: &str = "Device.ManagementServer.InformParameter.";
/// Rows of one table; a further AddObject gets fault 9004.
const MAX_ROWS: usize = 256;

/// The data model of one device.
#[derive(Debug, Clone)]
pub struct Model {
    base: Arc<Catalogue>,
    /// Replaces the base by path; `None` is a deleted node.
    over: BTreeMap<Arc<str>, Option<Node>>,
    /// Highest instance number ever used, by table: numbers are never reused (C6).
    numbers: BTreeMap<String, u32>,
    /// Parameters with notification on that changed on the device's side.
    changed: BTreeSet<Arc<str>>,
    /// What is out of sight, but kept.
    hidden: Option<&'static str>,
}

impl Model {
    /// The factory state.
    pub fn new(base: Arc<Catalogue>) -> Self {
        Self {
            base,
            over: BTreeMap::new(),
            numbers: BTreeMap::new(),
            changed: BTreeSet::new(),
            hidden: None,
        }
    }

    /// The real value of a parameter, hidden ones included; empty when there is none.
    pub fn value(&self, name: &str) -> &str {
        match self.node(name) {
            Some(Node::Leaf(leaf)) => &leaf.value,
            Some(Node::Object { .. }) | None => "",
        }
    }

    /// Sets a parameter without a trace: the factory's or a counter's value. Unknown names are
    /// ignored, because not every model has every parameter.
    pub fn preset(&mut self, name: &str, value: &str) {
        if self.value(name) != value {
            self.edit(name, |leaf| leaf.value = value.into());
        }
    }

    /// Sets a parameter on the device's side; a change of a notified one is kept for the next
    /// Inform (TR-069 3.7.1.5 `4 VALUE CHANGE`). What the ACS sets is no value change.
    pub fn put(&mut self, name: &str, value: &str) {
        let Some((key, Node::Leaf(leaf))) = self.entry(name) else { return };
        if *leaf.value == *value {
            return;
        }
        if leaf.notification > 0 {
            let key = Arc::clone(key);
            self.changed.insert(key);
        }
        self.edit(name, |leaf| leaf.value = value.into());
    }

    /// The changes that no Inform has delivered yet.
    pub fn changes(&self) -> &BTreeSet<Arc<str>> {
        &self.changed
    }

    /// Whether a change must be reported at once rather than with the next Inform.
    pub fn has_active_change(&self) -> bool {
        self.changed
            .iter()
            .any(|name| matches!(self.node(name), Some(Node::Leaf(leaf)) if leaf.notification == 2))
    }

    /// The ACS has acknowledged an Inform: all changes so far are delivered.
    pub fn acknowledge_changes(&mut self) {
        self.changed.clear();
    }

    /// The ParameterList of an Inform: the forced ones, those of InformParameter rows whose
    /// EventList is empty or names one of the events, and the changed ones.
    pub fn inform_parameters(&self, events: &[EventStruct]) -> Vec<ParameterValue> {
        let mut names: Vec<&str> = FORCED.to_vec();
        for row in self.rows(INFORM_PARAMETER) {
            let cell = |name: &str| self.value(&format!("{INFORM_PARAMETER}{row}.{name}"));
            let list = cell("EventList");
            let wanted = list.is_empty()
                || list.split(',').any(|code| events.iter().any(|e| e.event_code == code.trim()));
            if cell("Enable") == "1" && wanted {
                names.push(cell("ParameterName"));
            }
        }
        names.extend(self.changed.iter().map(|name| &**name));
        let mut seen = BTreeSet::new();
        names
            .into_iter()
            .filter(|name| seen.insert(*name))
            .filter_map(|name| self.entry(name))
            .filter_map(|(name, node)| reading(name, node))
            .collect()
    }

    /// GetParameterValues (A.3.2.2) by full names, partial paths or the empty path. Fault 9005 for
    /// any unknown name.
    pub fn get(&self, names: &[String]) -> Result<Vec<ParameterValue>, Fault> {
        let mut out = Vec::new();
        for name in names {
            let before = out.len();
            if is_partial(name) {
                out.extend(self.under(name).into_iter().filter_map(|(k, n)| reading(k, n)));
            } else {
                out.extend(self.entry(name).and_then(|(k, n)| reading(k, n)));
            }
            if out.len() == before && !(is_partial(name) && self.node(name).is_some()) {
                return Err(unknown(name));
            }
        }
        Ok(out)
    }

    /// GetParameterNames (A.3.2.3). Fault 9005 for an unknown path, 9003 for the next level of a
    /// parameter.
    pub fn names(&self, call: &GetParameterNames) -> Result<Vec<ParameterInfo>, Fault> {
        let path = call.path.as_str();
        if !is_partial(path) {
            return match self.node(path) {
                Some(_) if call.next_level => Err(invalid("NextLevel of a parameter")),
                Some(node) => Ok(vec![info(path, node)]),
                None => Err(unknown(path)),
            };
        }
        if !path.is_empty() && self.node(path).is_none() {
            return Err(unknown(path));
        }
        let wanted = |name: &str| {
            let below = &name[path.len()..];
            let step = below.strip_suffix('.').unwrap_or(below);
            !call.next_level || (!step.is_empty() && !step.contains('.'))
        };
        let all = self.under(path).into_iter();
        Ok(all.filter(|(name, _)| wanted(name)).map(|(name, node)| info(name, node)).collect())
    }

    /// SetParameterValues (A.3.2.1): all or nothing. Fault 9003 with one entry per refused
    /// parameter (9005 to 9008), or without entries when a name occurs twice.
    pub fn set(&mut self, call: &SetParameterValues) -> Result<(), Fault> {
        let mut accepted = BTreeMap::new();
        let mut refused = Vec::new();
        for parameter in &call.parameters {
            let checked = match self.node(&parameter.name) {
                Some(Node::Leaf(leaf)) if leaf.spec.writable => {
                    leaf.spec.check(parameter.kind, &parameter.value)
                }
                Some(Node::Leaf(_)) => Err(FaultCode::NON_WRITABLE_PARAMETER),
                Some(Node::Object { .. }) | None => Err(FaultCode::INVALID_PARAMETER_NAME),
            };
            match checked {
                Ok(value) => {
                    if accepted.insert(parameter.name.as_str(), value).is_some() {
                        return Err(invalid("a parameter is named twice"));
                    }
                }
                Err(code) => refused.push(ParameterFault {
                    name: parameter.name.clone(),
                    code,
                    text: code.meaning().unwrap_or_default().to_owned(),
                }),
            }
        }
        if !refused.is_empty() {
            return Err(Fault { parameters: refused, ..invalid("Invalid arguments") });
        }
        for (name, value) in accepted {
            self.edit(name, |leaf| leaf.value = value);
        }
        self.preset(PARAMETER_KEY, &call.parameter_key);
        Ok(())
    }

    /// AddObject (A.3.2.6): the new instance number, never one that was used before. Fault 9005
    /// when the path is no writable table, 9004 when it is full.
    pub fn add(&mut self, table: &str, parameter_key: &str) -> Result<u32, Fault> {
        let writable = matches!(self.node(table), Some(Node::Object { writable: true }));
        let rows = self.rows(table);
        let used = self.numbers.get(table).copied().unwrap_or(0);
        let number = rows.iter().copied().max().unwrap_or(0).max(used) + 1;
        let template = self.base.new_row(table, number);
        if !writable || template.is_empty() {
            return Err(unknown(table));
        }
        if rows.len() >= MAX_ROWS {
            return Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, "Table is full"));
        }
        for (below, node) in template {
            self.over.insert(format!("{table}{number}.{below}").into(), Some(node));
        }
        self.numbers.insert(table.to_owned(), number);
        self.put(&counter_of(table), &(rows.len() + 1).to_string());
        self.preset(PARAMETER_KEY, parameter_key);
        Ok(number)
    }

    /// DeleteObject (A.3.2.7). Fault 9005 when the path is no row of a writable table.
    pub fn delete(&mut self, row: &str, parameter_key: &str) -> Result<(), Fault> {
        let writable = matches!(self.node(row), Some(Node::Object { writable: true }));
        let split = row.strip_suffix('.').and_then(|r| r.rsplit_once('.'));
        let Some((table, number)) = split.filter(|_| writable && pattern_of(row).ends_with("{i}."))
        else {
            return Err(unknown(row));
        };
        let table = format!("{table}.");
        let number: u32 = number.parse().map_err(|_| unknown(row))?;
        self.remove(row);
        let left = self.rows(&table).len();
        self.put(&counter_of(&table), &left.to_string());
        let used = self.numbers.entry(table).or_insert(0);
        *used = number.max(*used);
        self.preset(PARAMETER_KEY, parameter_key);
        Ok(())
    }

    /// Puts these rows, numbered from 1, in place of all rows of a table that the device itself
    /// fills; a row is its cells by name.
    pub fn fill(&mut self, table: &str, rows: &[Vec<(&str, String)>]) {
        for row in self.rows(table) {
            self.remove(&format!("{table}{row}."));
        }
        for (number, cells) in (1_u32..).zip(rows) {
            for (below, node) in self.base.new_row(table, number) {
                self.over.insert(format!("{table}{number}.{below}").into(), Some(node));
            }
            for (name, value) in cells {
                self.preset(&format!("{table}{number}.{name}"), value);
            }
        }
        self.put(&counter_of(table), &rows.len().to_string());
    }

    /// Takes a row out of a table that the device itself fills.
    pub fn take_out(&mut self, table: &str, row: u32) {
        self.remove(&format!("{table}{row}."));
        let left = self.rows(table).len();
        self.put(&counter_of(table), &left.to_string());
    }

    /// Takes all at and below this path out of sight, as if the device had no such part; `None`
    /// brings it back as it was.
    pub fn hide(&mut self, path: Option<&'static str>) {
        self.hidden = path;
        self.changed.retain(|name| path.is_none_or(|path| !name.starts_with(path)));
    }

    /// Makes all whose name begins so what it is in another model of the same hardware.
    pub fn restore(&mut self, prefix: &str, from: &Self) {
        self.over.retain(|name, _| !name.starts_with(prefix));
        let theirs = from.over.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let theirs = theirs.take_while(|(name, _)| name.starts_with(prefix));
        self.over.extend(theirs.map(|(name, node)| (Arc::clone(name), node.clone())));
    }

    /// Removes all at and below a path.
    fn remove(&mut self, path: &str) {
        let doomed: Vec<Arc<str>> = self.under(path).iter().map(|(k, _)| Arc::clone(k)).collect();
        for key in doomed {
            self.changed.remove(&key);
            if self.base.nodes.contains_key(&key) {
                self.over.insert(key, None);
            } else {
                self.over.remove(&key);
            }
        }
    }

    /// GetParameterAttributes (A.3.2.5), by names or partial paths. Fault 9005 as [`Model::get`].
    pub fn attributes(&self, names: &[String]) -> Result<Vec<ParameterAttribute>, Fault> {
        let values = self.get(names)?;
        let attribute = |value: ParameterValue| match self.node(&value.name) {
            Some(Node::Leaf(leaf)) => Some(ParameterAttribute {
                name: value.name,
                notification: leaf.notification,
                access_list: if leaf.subscriber { vec!["Subscriber".to_owned()] } else { vec![] },
            }),
            Some(Node::Object { .. }) | None => None,
        };
        Ok(values.into_iter().filter_map(attribute).collect())
    }

    /// SetParameterAttributes (A.3.2.4): all or nothing. Fault 9005 for an unknown name, 9003 for
    /// a notification that this edition lacks, 9009 where active notification is refused or
    /// forced; a partial path skips such parameters instead.
    pub fn set_attributes(&mut self, call: &[SetParameterAttributes]) -> Result<(), Fault> {
        let mut edits = Vec::new();
        for item in call {
            if item.notification.is_some_and(|n| n > 2) {
                return Err(invalid("Notification is 0, 1 or 2"));
            }
            for value in self.get(std::slice::from_ref(&item.name))? {
                let Some(Node::Leaf(leaf)) = self.node(&value.name) else { continue };
                let rejected = item.notification.is_some_and(|wanted| {
                    (leaf.spec.forced && wanted != 2) || (leaf.spec.deny_active && wanted == 2)
                });
                if rejected && !is_partial(&item.name) {
                    let text = "Notification request rejected";
                    return Err(Fault::new(FaultCode::NOTIFICATION_REJECTED, text));
                }
                let notification = item.notification.filter(|_| !rejected);
                let subscriber = item.access_list.as_ref().map(|list| !list.is_empty());
                edits.push((value.name, notification, subscriber));
            }
        }
        for (name, notification, subscriber) in edits {
            self.edit(&name, |leaf| {
                leaf.notification = notification.unwrap_or(leaf.notification);
                leaf.subscriber = subscriber.unwrap_or(leaf.subscriber);
            });
        }
        Ok(())
    }

    /// Instance numbers of a table, in no order.
    pub fn rows(&self, table: &str) -> Vec<u32> {
        self.under(table)
            .into_iter()
            .filter_map(|(name, _)| name[table.len()..].strip_suffix('.')?.parse().ok())
            .collect()
    }

    fn node(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    fn entry(&self, name: &str) -> Option<(&Arc<str>, &Node)> {
        if self.is_hidden(name) {
            return None;
        }
        match self.over.get_key_value(name) {
            Some((key, node)) => node.as_ref().map(|node| (key, node)),
            None => self.base.nodes.get_key_value(name),
        }
    }

    /// Everything at and below a path, sorted.
    fn under(&self, path: &str) -> Vec<(&Arc<str>, &Node)> {
        let range = || (Bound::Included(path), Bound::<&str>::Unbounded);
        let base = self.base.nodes.range::<str, _>(range());
        let base = base.take_while(|(name, _)| name.starts_with(path));
        let over = self.over.range::<str, _>(range());
        let over = over.take_while(|(name, _)| name.starts_with(path));
        let mut all: Vec<_> = base.filter(|(name, _)| !self.over.contains_key(*name)).collect();
        all.extend(over.filter_map(|(name, node)| node.as_ref().map(|node| (name, node))));
        all.retain(|(name, _)| !self.is_hidden(name));
        all.sort_by(|a, b| a.0.cmp(b.0));
        all
    }

    fn is_hidden(&self, name: &str) -> bool {
        self.hidden.is_some_and(|path| name.starts_with(path))
    }

    /// Copies a parameter to the overlay, changed.
    fn edit(&mut self, name: &str, change: impl FnOnce(&mut Leaf)) {
        let Some((key, Node::Leaf(leaf))) = self.entry(name) else { return };
        let (key, mut leaf) = (Arc::clone(key), leaf.clone());
        change(&mut leaf);
        self.over.insert(key, Some(Node::Leaf(leaf)));
    }
}

fn is_partial(path: &str) -> bool {
    path.is_empty() || path.ends_with('.')
}

/// A parameter as the ACS reads it; `None` for an object.
fn reading(name: &str, node: &Node) -> Option<ParameterValue> {
    let Node::Leaf(leaf) = node else { return None };
    let value = if leaf.spec.hidden { "" } else { &*leaf.value };
    Some(ParameterValue::new(name, value, leaf.spec.kind))
}

fn info(name: &str, node: &Node) -> ParameterInfo {
    let writable = match node {
        Node::Object { writable } => *writable,
        Node::Leaf(leaf) => leaf.spec.writable,
    };
    ParameterInfo { name: name.to_owned(), writable }
}

fn unknown(name: &str) -> Fault {
    Fault::new(FaultCode::INVALID_PARAMETER_NAME, format!("Invalid parameter name {name}"))
}

fn invalid(text: &str) -> Fault {
    Fault::new(FaultCode::INVALID_ARGUMENTS, text)
}

#[cfg(test)]
mod tests;
