//! Whether what comes in a script is part of a text that RouterOS runs, by the arguments and commands
//! before it. It is followed as far as a value shows that it is meant so: a text that goes through a
//! variable is not.

/// Arguments whose text is run, at once or later.
const SCRIPTS: [&str; 19] = [
    "command",
    "do",
    "down-script",
    "else",
    "lease-script",
    "on-alert",
    "on-backup",
    "on-down",
    "on-error",
    "on-event",
    "on-fail",
    "on-login",
    "on-logout",
    "on-master",
    "on-message",
    "on-up",
    "script",
    "test-script",
    "up-script",
];
/// The text of a script under `/system script`. Values may be kept so, for others to read.
const SOURCE: &str = "source";
/// Commands that take such a text.
const RUNS: [&str; 2] = ["parse", "execute"];
/// Bytes of an argument that are kept: the names that matter are shorter.
const MAX_ARGUMENT: usize = 64;

/// What a pair of brackets holds, or the script outside of all. Strings are not among it.
#[derive(Default)]
pub(super) struct Level {
    /// The argument that is read, with a quote in place of each string.
    argument: String,
    /// Whether the command before it takes a text that is run.
    runs: bool,
    /// Whether these brackets put together a text that is run.
    joins: bool,
}

impl Level {
    pub(super) fn within(joins: bool) -> Self {
        Self { joins, ..Self::default() }
    }

    pub(super) fn push(&mut self, c: char) {
        if self.argument.len() < MAX_ARGUMENT {
            self.argument.push(c);
        }
    }

    /// At a blank. A value may follow its `=` on the next line.
    pub(super) fn end_argument(&mut self) {
        let said = self.argument.trim_end();
        if said.ends_with('=') {
            if said.len() == self.argument.len() {
                self.push(' ');
            }
        } else if !said.is_empty() {
            self.runs = RUNS.contains(&said.trim_start_matches([':', '/']));
            self.argument.clear();
        }
    }

    pub(super) fn end_statement(&mut self) {
        self.argument.clear();
        self.runs = false;
    }

    /// Whether what comes is part of a text that is run.
    pub(super) fn is_run(&self) -> bool {
        let is_script = |name: &str| name == SOURCE || SCRIPTS.contains(&name);
        self.joins || self.name().map_or(self.runs, is_script)
    }

    /// Whether this text may be kept only, and is not put together.
    pub(super) fn is_kept(&self) -> bool {
        !self.joins && self.name() == Some(SOURCE)
    }

    /// What the argument is called that is read.
    fn name(&self) -> Option<&str> {
        let last = self.argument.trim_end().rsplit(' ').next()?;
        last.split_once('=').map(|(name, _)| name)
    }
}
