//! The configuration: `muster.toml`, overlaid by the environment, as plain data.
//!
//! Owns reading, merging and checking it; every error names the file and line, or the variable, and
//! what is allowed there. It must never act on what it reads: no socket, no directory, no log.

mod defaults;
mod rules;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

pub use schema::{
    AcsConfig, AuthMode, BenchConfig, ClientSecret, Config, DatabaseConfig, DatabaseUrl,
    FilesConfig, IdentityMode, LogFormat, MetricsConfig, NotifyConfig, OfferBasic, OidcConfig,
    Reenrol, SmtpConfig, SmtpPassword, SmtpSecurity, TelemetryConfig, TlsMode, UnknownDevices,
    WakeConfig, WebConfig, ZeroTouchConfig,
};

/// Names the configuration file; the only `MUSTER_` variable that is not a key.
pub const FILE_VARIABLE: &str = "MUSTER_CONFIG";

/// Variables of the command line as a client of the API, which are no keys either.
const CLIENT_VARIABLES: [&str; 3] = ["MUSTER_SERVER", "MUSTER_TOKEN", "MUSTER_CA"];

/// The customary name of the database server, honoured before every other source.
pub const DATABASE_VARIABLE: &str = "DATABASE_URL";

/// Where a file is looked for when none is named, first found wins.
const DEFAULT_FILES: [&str; 2] = ["muster.toml", "/etc/muster/muster.toml"];

const PREFIX: &str = "MUSTER_";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file cannot be read.
    #[error("{}: cannot read the configuration: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key or its value is not allowed.
    #[error("{place}: {message}")]
    Invalid {
        /// `muster.toml line 3`, or the name of the variable.
        place: String,
        /// The key, what is wrong with it and what is allowed.
        message: String,
    },
}

impl Config {
    /// Reads the file (`path`, else `MUSTER_CONFIG`, else `./muster.toml`, else
    /// `/etc/muster/muster.toml`, else none) and lays the variables in `env` over it:
    /// `MUSTER_ACS__LISTEN` is `acs.listen`, lists are separated by commas, an empty variable counts
    /// as absent. `data_dir` comes back absolute.
    ///
    /// # Errors
    /// [`ConfigError`] for an unreadable file, an unknown key and a value that is not allowed.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let env: BTreeMap<String, String> = env
            .filter(|(name, _)| name.starts_with(PREFIX) || name == DATABASE_VARIABLE)
            .filter(|(_, value)| !value.trim().is_empty())
            .collect();
        let file = ConfigFile::find(path, env.get(FILE_VARIABLE))?;
        let mut table = match &file {
            Some(file) => file.table()?,
            None => Table::new(),
        };
        let keys = Self::keys();
        for (name, value) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            if name != FILE_VARIABLE && !CLIENT_VARIABLES.contains(&name.as_str()) {
                table = overlay(&table, name, known_key(name, &keys)?, value)?;
            }
        }
        if let Some(url) = env.get(DATABASE_VARIABLE) {
            table = overlay(&table, DATABASE_VARIABLE, "database.url", url)?;
        }
        let mut config = Self::deserialize(table).map_err(|error| ConfigError::Invalid {
            place: "configuration".to_owned(),
            message: error.message().to_owned(),
        })?;
        config.check().map_err(|(key, message)| ConfigError::Invalid {
            place: place(key, &env, file.as_ref()),
            message: format!("{key}: {message}"),
        })?;
        config.data_dir = std::path::absolute(&config.data_dir)
            .map_err(|source| ConfigError::Read { path: config.data_dir.clone(), source })?;
        Ok(config)
    }

    /// Adds benches on these interfaces to those that are configured; one that is there already is not
    /// added again. `from` is what the operator wrote them to: an option of the command line.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`], naming `from`.
    pub fn add_benches(&mut self, interfaces: Vec<String>, from: &str) -> Result<(), ConfigError> {
        for name in interfaces {
            if !self.bench.interfaces.contains(&name) {
                self.bench.interfaces.push(name);
            }
        }
        self.check()
            .map_err(|(_, message)| ConfigError::Invalid { place: from.to_owned(), message })
    }

    /// Every key there is, as `table.key`, in alphabetical order.
    pub fn keys() -> Vec<String> {
        let defaults = serde_json::to_value(Self::default()).expect("the defaults are plain data");
        let mut keys = Vec::new();
        for (name, value) in defaults.as_object().expect("a struct becomes an object") {
            match value.as_object() {
                Some(table) => keys.extend(table.keys().map(|key| format!("{name}.{key}"))),
                None => keys.push(name.clone()),
            }
        }
        keys.sort();
        keys
    }
}

struct ConfigFile {
    path: PathBuf,
    text: String,
}

impl ConfigFile {
    fn find(path: Option<&Path>, variable: Option<&String>) -> Result<Option<Self>, ConfigError> {
        let named = path.map(Path::to_path_buf).or_else(|| variable.map(PathBuf::from));
        let found = named.or_else(|| {
            DEFAULT_FILES.iter().map(PathBuf::from).find(|candidate| candidate.exists())
        });
        let Some(path) = found else { return Ok(None) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { path, text })),
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }

    /// The file's tables, known to be a valid [`Config`] by themselves: read typed first, because
    /// only then does an error know its line.
    fn table(&self) -> Result<Table, ConfigError> {
        toml::from_str::<Config>(&self.text)
            .and_then(|_| toml::from_str::<Table>(&self.text))
            .map_err(|error| self.invalid(&error))
    }

    fn invalid(&self, error: &toml::de::Error) -> ConfigError {
        let Some(span) = error.span() else {
            let place = self.path.display().to_string();
            return ConfigError::Invalid { place, message: error.message().to_owned() };
        };
        let number = self.line(span.start);
        let line = self.text.lines().nth(number - 1).unwrap_or_default().trim();
        // A value is shown only where it is what is wrong, and is no secret.
        let shown = match line.split_once('=') {
            Some((key, _)) if error.message().starts_with("unknown field") => key.trim(),
            Some((key, _)) if line.contains("secret") || line.contains("password") => key.trim(),
            _ => line,
        };
        ConfigError::Invalid {
            place: format!("{} line {number}", self.path.display()),
            message: format!("`{shown}`: {}", error.message()),
        }
    }

    /// The line, counted from 1, that holds the byte at `offset`.
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn line_of(&self, key: &str) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let root = document.get_ref();
        let offset = match key.split_once('.') {
            None => root.get_key_value(key)?.0.span().start,
            Some((table, key)) => {
                root.get(table)?.get_ref().as_table()?.get_key_value(key)?.0.span().start
            }
        };
        Some(self.line(offset))
    }
}

/// Where the value of `key` came from, as an operator would look for it.
fn place(key: &str, env: &BTreeMap<String, String>, file: Option<&ConfigFile>) -> String {
    if key == "database.url" && env.contains_key(DATABASE_VARIABLE) {
        return DATABASE_VARIABLE.to_owned();
    }
    let variable = variable_name(key);
    if env.contains_key(&variable) {
        return variable;
    }
    match file.and_then(|file| Some((file, file.line_of(key)?))) {
        Some((file, line)) => format!("{} line {line}", file.path.display()),
        None => "configuration".to_owned(),
    }
}

fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

fn known_key<'k>(name: &str, keys: &'k [String]) -> Result<&'k str, ConfigError> {
    if let Some(key) = keys.iter().find(|key| variable_name(key) == name) {
        return Ok(key.as_str());
    }
    let nearest = keys
        .iter()
        .map(|key| variable_name(key))
        .min_by_key(|known| distance(known, name))
        .expect("there is at least one key");
    Err(ConfigError::Invalid {
        place: name.to_owned(),
        message: format!("no such key; the nearest one is {nearest}"),
    })
}

/// `table` with `key` set to the first reading of `value` that the key's type takes. A variable is
/// only text, and the type that it stands for is known to [`Config`] alone.
fn overlay(table: &Table, name: &str, key: &str, value: &str) -> Result<Table, ConfigError> {
    let mut refusals = Vec::new();
    for reading in readings(value.trim()) {
        let mut trial = table.clone();
        insert(&mut trial, key, reading);
        match Config::deserialize(trial.clone()) {
            Ok(_) => return Ok(trial),
            Err(error) => refusals.push(error.message().to_owned()),
        }
    }
    // Of several refusals the telling one is that of the right type with a wrong value.
    let telling = refusals.iter().find(|message| !message.starts_with("invalid type"));
    let message = telling.or(refusals.first()).expect("text is always one of the readings");
    Err(ConfigError::Invalid { place: name.to_owned(), message: format!("{key}: {message}") })
}

fn readings(value: &str) -> Vec<Value> {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    let list = Value::Array(items.map(Value::from).collect());
    let number = value.parse::<i64>().ok().map(Value::Integer);
    let flag = value.parse::<bool>().ok().map(Value::Boolean);
    [Some(Value::from(value)), number, flag, Some(list)].into_iter().flatten().collect()
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((outer, inner)) => {
            let entry = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
            let entry = entry.as_table_mut().expect("the file was read as a Config before");
            entry.insert(inner.to_owned(), value);
        }
    }
}

/// The Levenshtein distance, for "the nearest one is".
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests;
