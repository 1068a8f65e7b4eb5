//! What every request and task of the process shares, and who is asking.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::Notify;

use crate::acs::registry::Sessions;
use crate::acs::writer::InformWriter;
use crate::config::Config;
use crate::files::FileStore;
use crate::fleet::credentials::Enrolment;
use crate::fleet::secret::Keys;

/// The process: built once by `boot`, then only shared.
pub struct App {
    /// Settings.
    pub config: Config,
    /// The database.
    pub pool: PgPool,
    /// The hot path's own connections to it.
    pub hot: PgPool,
    /// What seals and signs.
    pub keys: Keys,
    /// Bytes of artifacts.
    pub files: FileStore,
    /// This node's name, as rows show it.
    pub node: String,
    /// CWMP sessions open on this node.
    pub sessions: Sessions,
    /// The hot path's writer.
    pub informs: InformWriter,
    /// The credential with which new devices come.
    pub enrolment: Enrolment,
    /// Rings when a device is to be woken; a hint, the table is the truth.
    pub wake_hint: Notify,
}

/// Shared handle.
pub type Shared = Arc<App>;
