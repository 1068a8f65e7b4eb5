//! Templates become scripts, in processes of their own.
//!
//! - [`engine`]: a template and its values become a script. Pure; what a value is written as is decided
//!   here and in `filters`, where it may stand in `place`.
//! - `scan`: what a template is made of. [`lint`]: what is wrong with one before anybody has it rendered.
//! - [`worker`]: the process that renders. `frame`: what it is asked and answers. `pool`: keeps such
//!   processes, and ends one that takes too long. `refused`: who took too long before. Here: what the
//!   rest of the server asks for.
//! - [`context`]: what every template knows of its device.
//!
//! Owns that no value ends the string that it stands in, whatever the value and whatever the template,
//! and that a template, which is a program of whoever wrote it, can neither take this process's time
//! nor its memory. It must never render in this process.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};
use thiserror::Error as ThisError;

pub mod context;
pub mod engine;
mod filters;
mod frame;
pub mod lint;
mod place;
mod pool;
mod refused;
mod scan;
pub mod worker;

pub use lint::lint_template;
pub use pool::Renderer;

use crate::config::ZeroTouchConfig;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::secret::without;
use crate::fleet::template::{Kind, Values, Variable, resolve};
use crate::fleet::variables::Variables;
use context::DeviceContext;

/// What the processes are, and may.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program: `muster`.
    pub program: PathBuf,
    /// How many, at least one.
    pub workers: u32,
    /// How long one template may render.
    pub patience: Duration,
    /// Memory of each, in MiB.
    pub memory_mb: u64,
}

impl Settings {
    /// The settings of a server.
    pub fn of(config: &ZeroTouchConfig) -> Self {
        Self {
            // The program that runs, also where an upgrade has put another in its place: both ends
            // are of one version.
            program: PathBuf::from("/proc/self/exe"),
            workers: config.render_workers,
            patience: Duration::from_secs(config.render_seconds),
            memory_mb: config.render_memory_mb,
        }
    }
}

/// Why there is no script.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Failure {
    /// The template is wrong, or does not fit its values; says where.
    #[error("{0}")]
    Mistake(String),
    /// It was stopped after `zero_touch.render_seconds`.
    #[error(
        "rendering took longer than zero_touch.render_seconds allows and was stopped: look for loops \
         within loops, and for ranges that are longer than they need be"
    )]
    TooSlow,
    /// It took more than `zero_touch.render_memory_mb`, or wrote too much.
    #[error(
        "rendering took more memory than zero_touch.render_memory_mb allows, or gave more than 256 KiB, \
         and was stopped: look for a variable that grows in a loop"
    )]
    TooMuch,
    /// The process ended, or could not be started.
    #[error(
        "the process that renders templates ended: if it does so again with this template, look for \
         values that are nested in a loop; if with every template, the server's log says why"
    )]
    Died,
    /// No process had time for it. Nothing is said of the template.
    #[error("the renderers are busy: try again")]
    Busy,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy(failure.to_string()),
            failure => Self::invalid("/body", failure.to_string()),
        }
    }
}

/// A script for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The script. It holds secrets in clear.
    pub script: String,
    /// SHA-256 of it.
    pub sha256: [u8; 32],
    /// The secrets that were given to the template, to be masked wherever the script is shown.
    pub secrets: Vec<String>,
}

/// The script that a template gives with these variables for this device. The log calls it `name`.
///
/// # Errors
/// [`Error::Invalid`]: at `/variables`, naming each whose value is missing or does not fit; at `/body`
/// for a template that is wrong or was stopped. [`Error::Busy`] where no process has time for it. None
/// repeats a secret.
pub async fn rendered(
    app: &App,
    name: &str,
    body: &str,
    variables: &[Variable],
    given: &Variables,
    device: &DeviceContext,
) -> Result<Rendered, Error> {
    let values = resolve(variables, given)?;
    let secrets = secrets(variables, &values);
    let context = device.with(&values, &app.enrolment.username);
    match app.render.render(name, body, context).await {
        Ok(script) => {
            let sha256 = Sha256::digest(&script).into();
            Ok(Rendered { script, sha256, secrets })
        }
        Err(Failure::Mistake(words)) => Err(Failure::Mistake(without(&words, &secrets)).into()),
        Err(failure) => Err(failure.into()),
    }
}

fn secrets(variables: &[Variable], values: &Values) -> Vec<String> {
    let secret = variables.iter().filter(|variable| matches!(variable.kind, Kind::Secret(_)));
    let texts = secret.filter_map(|variable| values.get(&variable.name)?.as_str());
    texts.map(str::to_owned).collect()
}
