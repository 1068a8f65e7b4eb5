//! Reading a data model in the fewest calls a device allows, as a pure machine.
//!
//! Owns the splitting (C1, C2): names of the whole tree, then values of the whole tree; where the
//! device refuses (9004 and its kin, or silence), the same below each child, down to small batches
//! of names and at last single ones. It never gives up a tree for one bad branch: what could not be
//! read is listed in [`Refresh::skipped`].

use std::collections::{BTreeMap, VecDeque};

use muster_cwmp::acs::Answer;
use muster_cwmp::rpc::{GetParameterNames, Request, Response};
use muster_cwmp::value::ParameterValue;

/// Calls one refresh may take: a device that refuses all but single names is read in part.
pub const MAX_CALLS: u32 = 3_000;
/// Parameters one refresh may learn.
pub const MAX_LEARNED: usize = 100_000;
/// Bytes of names and values that one refresh may keep.
const MAX_BYTES: usize = 32 << 20;
/// Names in one GetParameterValues where partial paths are refused.
const BATCH: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Task {
    /// GetParameterNames of everything below a path.
    Names(String),
    /// GetParameterNames of the next level only.
    Children(String),
    /// GetParameterValues of a partial path.
    Values(String),
    /// GetParameterValues of full names.
    ValuesOf(Vec<String>),
}

/// A running refresh.
#[derive(Debug, Clone)]
pub struct Refresh {
    root: String,
    tasks: VecDeque<Task>,
    current: Option<Task>,
    calls: u32,
    bytes: usize,
    /// Name to writable, objects (ending in a dot) included.
    pub infos: BTreeMap<String, bool>,
    /// Values as the device sent them.
    pub values: Vec<ParameterValue>,
    /// Paths and names that the device would not give, with its reason.
    pub skipped: Vec<(String, String)>,
}

impl Refresh {
    /// A refresh of `root` (a partial path). `earlier_attempts` makes it careful: a device that died
    /// on a big read (N7) is not asked for the same again.
    pub fn new(root: &str, earlier_attempts: u32) -> Self {
        let root = root.to_owned();
        let tasks = match earlier_attempts {
            0 => [Task::Names(root.clone()), Task::Values(root.clone())].into(),
            _ => [Task::Children(root.clone())].into(),
        };
        Self {
            root,
            tasks,
            current: None,
            calls: 0,
            bytes: 0,
            infos: BTreeMap::new(),
            values: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// The path that is read.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether everything below the root was given.
    pub fn complete(&self) -> bool {
        self.skipped.is_empty() && self.tasks.is_empty() && self.current.is_none()
    }

    /// The next call, or `None` when nothing is left to ask.
    pub fn next_call(&mut self) -> Option<Request> {
        if self.exhausted() && !self.tasks.is_empty() {
            self.tasks.clear();
            let why = "a limit of one refresh was reached: the rest was not read".to_owned();
            self.skipped.push((self.root.clone(), why));
        }
        let task = self.tasks.pop_front()?;
        self.calls += 1;
        let request = match &task {
            Task::Names(path) => names(path, false),
            Task::Children(path) => names(path, true),
            Task::Values(path) => Request::GetParameterValues(vec![path.clone()]),
            Task::ValuesOf(list) => Request::GetParameterValues(list.clone()),
        };
        self.current = Some(task);
        Some(request)
    }

    /// What a device says is kept in memory until the end: however it says it, there is an end.
    fn exhausted(&self) -> bool {
        self.calls >= MAX_CALLS
            || self.bytes >= MAX_BYTES
            || self.values.len() + self.infos.len() + self.tasks.len() >= 3 * MAX_LEARNED
    }

    /// Takes the answer to the call that [`Refresh::next_call`] gave.
    pub fn answer(&mut self, answer: Answer) {
        let Some(task) = self.current.take() else { return };
        self.bytes += match &answer {
            Answer::Response(Response::GetParameterNames(list)) => {
                list.iter().map(|i| i.name.len() + 64).sum()
            }
            Answer::Response(Response::GetParameterValues(list)) => {
                list.iter().map(|v| v.name.len() + v.value.len() + 64).sum()
            }
            Answer::Response(_) | Answer::Fault(_) | Answer::None => 0,
        };
        match (task, answer) {
            (Task::Names(_), Answer::Response(Response::GetParameterNames(list))) => {
                self.infos.extend(list.into_iter().map(|i| (i.name, i.writable)));
            }
            (Task::Children(path), Answer::Response(Response::GetParameterNames(list))) => {
                self.descend(&path, list.into_iter().map(|i| (i.name, i.writable)).collect());
            }
            (
                Task::Values(_) | Task::ValuesOf(_),
                Answer::Response(Response::GetParameterValues(list)),
            ) => self.values.extend(list),
            (task, Answer::Fault(fault)) => self.refused(task, fault.to_string()),
            (task, Answer::None) => self.refused(task, "no answer".to_owned()),
            (task, Answer::Response(_)) => self.refused(task, "an answer of another kind".into()),
        }
    }

    /// After the children of a path are known: whole sub-objects first, small batches of leaves.
    fn descend(&mut self, path: &str, list: Vec<(String, bool)>) {
        let mut leaves = Vec::new();
        for (name, writable) in list {
            // Some devices list the path itself, or things outside it.
            if name == path || !name.starts_with(path) {
                continue;
            }
            if name.ends_with('.') {
                self.tasks.push_back(Task::Names(name.clone()));
                self.tasks.push_back(Task::Values(name.clone()));
            } else {
                leaves.push(name.clone());
            }
            self.infos.insert(name, writable);
        }
        self.batches(leaves);
    }

    fn batches(&mut self, leaves: Vec<String>) {
        for batch in leaves.chunks(BATCH) {
            self.tasks.push_back(Task::ValuesOf(batch.to_vec()));
        }
    }

    fn refused(&mut self, task: Task, why: String) {
        match task {
            // The values of this path would be asked for as a whole next; its children are first.
            Task::Names(path) => {
                self.tasks.retain(|t| *t != Task::Values(path.clone()));
                self.tasks.push_front(Task::Children(path));
            }
            Task::Children(path) => self.skipped.push((path, why)),
            Task::Values(path) => self.split(&path, why),
            Task::ValuesOf(list) if list.len() > 1 => {
                let (left, right) = list.split_at(list.len() / 2);
                self.tasks.push_front(Task::ValuesOf(right.to_vec()));
                self.tasks.push_front(Task::ValuesOf(left.to_vec()));
            }
            Task::ValuesOf(list) => self.skipped.extend(list.into_iter().map(|n| (n, why.clone()))),
        }
    }

    /// The names below `path` are known: ask for the values below each direct child instead.
    fn split(&mut self, path: &str, why: String) {
        let below: Vec<String> = self
            .infos
            .range(path.to_owned()..)
            .take_while(|(name, _)| name.starts_with(path))
            .map(|(name, _)| name.clone())
            .filter(|name| name != path)
            .collect();
        if below.is_empty() {
            self.skipped.push((path.to_owned(), why));
            return;
        }
        let mut leaves = Vec::new();
        let mut objects: Vec<String> = Vec::new();
        for name in below {
            match name[path.len()..].find('.') {
                None => leaves.push(name),
                Some(dot) => {
                    let child = &name[..=path.len() + dot];
                    if objects.last().is_none_or(|last| last != child) {
                        objects.push(child.to_owned());
                    }
                }
            }
        }
        for object in objects.into_iter().rev() {
            // An object that holds no parameter has no values to ask for.
            if self
                .infos
                .range(object.clone()..)
                .take_while(|(n, _)| n.starts_with(&object))
                .any(|(n, _)| !n.ends_with('.'))
            {
                self.tasks.push_front(Task::Values(object));
            }
        }
        self.batches(leaves);
    }
}

fn names(path: &str, next_level: bool) -> Request {
    Request::GetParameterNames(GetParameterNames { path: path.to_owned(), next_level })
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_cwmp::fault::{Fault, FaultCode};
    use muster_cwmp::rpc::ParameterInfo;

    /// A device that gives at most `max` entries in one answer and counts what it was asked.
    struct Device {
        leaves: Vec<String>,
        max: usize,
        next_level: bool,
        bad: Option<String>,
    }

    impl Device {
        fn ask(&self, request: Request) -> Answer {
            let big = Answer::Fault(Fault::new(FaultCode(9004), "Resources exceeded"));
            match request {
                Request::GetParameterNames(g) => {
                    if g.next_level && !self.next_level {
                        return Answer::Fault(Fault::new(FaultCode(9003), "no next level"));
                    }
                    let mut out: Vec<String> = Vec::new();
                    for leaf in self.leaves.iter().filter(|l| l.starts_with(&g.path)) {
                        let rest = &leaf[g.path.len()..];
                        for (at, _) in rest.match_indices('.') {
                            out.push(leaf[..=g.path.len() + at].to_owned());
                            if g.next_level {
                                break;
                            }
                        }
                        if !g.next_level || !rest.contains('.') {
                            out.push(leaf.clone());
                        }
                    }
                    out.sort();
                    out.dedup();
                    if out.len() > self.max {
                        return big;
                    }
                    let infos = out.into_iter().map(|name| ParameterInfo { name, writable: true });
                    Answer::Response(Response::GetParameterNames(infos.collect()))
                }
                Request::GetParameterValues(list) => {
                    if list.iter().any(|n| self.bad.as_ref().is_some_and(|b| b.starts_with(n))) {
                        return Answer::Fault(Fault::new(FaultCode(9005), "bad"));
                    }
                    let out: Vec<_> = self
                        .leaves
                        .iter()
                        .filter(|l| {
                            list.iter().any(|n| *l == n || n.ends_with('.') && l.starts_with(n))
                        })
                        .map(|l| ParameterValue::string(l, "x"))
                        .collect();
                    if out.len() > self.max {
                        big
                    } else {
                        Answer::Response(Response::GetParameterValues(out))
                    }
                }
                other => panic!("not a read: {other:?}"),
            }
        }
    }

    fn leaves(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("Device.A{}.B.{}.Leaf{i}", i % 7, i % 13)).collect()
    }

    fn read(device: &Device, attempts: u32) -> (Refresh, u32) {
        let mut refresh = Refresh::new("Device.", attempts);
        let mut calls = 0;
        while let Some(request) = refresh.next_call() {
            calls += 1;
            refresh.answer(device.ask(request));
        }
        (refresh, calls)
    }

    fn all(refresh: &Refresh) -> usize {
        let mut names: Vec<_> = refresh.values.iter().map(|v| v.name.clone()).collect();
        names.sort();
        names.dedup();
        names.len()
    }

    #[test]
    fn three_hundred_leaves_take_two_calls() {
        let device = Device { leaves: leaves(300), max: 10_000, next_level: true, bad: None };
        let (refresh, calls) = read(&device, 0);
        assert_eq!((calls, all(&refresh), refresh.complete()), (2, 300, true));
    }

    #[test]
    fn a_device_that_refuses_big_reads_is_read_in_smaller_ones() {
        for max in [20, 60, 200] {
            let device = Device { leaves: leaves(500), max, next_level: true, bad: None };
            let (refresh, calls) = read(&device, 0);
            assert_eq!(all(&refresh), 500, "max {max}: skipped {:?}", refresh.skipped);
            assert!(calls < 600, "{calls} calls");
        }
    }

    #[test]
    fn five_thousand_parameters_are_read_whole_or_in_parts() {
        let mut device = Device { leaves: leaves(5_000), max: 50_000, next_level: true, bad: None };
        let (refresh, calls) = read(&device, 0);
        assert_eq!((calls, all(&refresh), refresh.complete()), (2, 5_000, true));
        device.max = 400;
        let (refresh, calls) = read(&device, 0);
        assert_eq!(all(&refresh), 5_000, "skipped {:?}", refresh.skipped);
        assert!(calls < 300, "{calls} calls");
    }

    #[test]
    fn a_device_without_next_level_is_read_by_names() {
        let mut device = Device { leaves: leaves(500), max: 5_000, next_level: false, bad: None };
        assert_eq!(all(&read(&device, 0).0), 500);
        device.max = 100;
        let (refresh, _) = read(&device, 0);
        assert!(!refresh.complete(), "nothing can be learned, and that is said");
    }

    #[test]
    fn one_bad_name_costs_only_itself() {
        let list = leaves(200);
        let device =
            Device { bad: Some(list[42].clone()), leaves: list, max: 9_000, next_level: true };
        let (refresh, _) = read(&device, 0);
        assert_eq!(all(&refresh), 199);
        assert_eq!(refresh.skipped.len(), 1);
    }

    #[test]
    fn after_a_lost_session_the_whole_is_not_asked_again() {
        let mut refresh = Refresh::new("Device.", 1);
        assert_eq!(refresh.next_call(), Some(names("Device.", true)));
        let device = Device { leaves: leaves(300), max: 10_000, next_level: true, bad: None };
        assert_eq!(all(&read(&device, 1).0), 300);
    }

    #[test]
    fn silence_and_nonsense_end() {
        let mut refresh = Refresh::new("Device.", 0);
        let mut calls = 0;
        while refresh.next_call().is_some() {
            calls += 1;
            refresh.answer(if calls % 2 == 0 {
                Answer::None
            } else {
                Answer::Response(Response::Reboot)
            });
        }
        assert!(calls <= 4 && !refresh.complete());
    }
}
