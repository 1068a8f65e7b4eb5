//! PostgreSQL itself: the embedded server, and the way to whichever server holds the truth.
//!
//! Owns finding the binaries, making and guarding the private cluster, running it, and connecting
//! with failover. It must never know a table: what is in the database belongs to `store`.

mod binaries;
mod cluster;
mod connect;
mod supervisor;

use std::path::PathBuf;

pub use binaries::{Installation, OLDEST_MAJOR, choose, installations};
pub use cluster::{cluster_major, is_locked, running};
pub use connect::{LOCK_TIMEOUT, connect, find_primary, parse_servers};
pub use supervisor::EmbeddedPostgres;

/// Why there is no PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// No usable binaries.
    #[error("PostgreSQL 15 or later is not installed: apt-get install postgresql")]
    Missing,
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the database was made by PostgreSQL {cluster}, which is not installed: \
         apt-get install postgresql-{cluster}, or move it to version {newest} with pg_upgrade"
    )]
    Version {
        /// The major version in the cluster's `PG_VERSION`.
        cluster: u32,
        /// The newest major version installed.
        newest: u32,
    },
    /// Another Muster holds the data directory.
    #[error(
        "{} belongs to a Muster that is running: stop it, or choose another data_dir",
        .data_dir.display()
    )]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// Started as root, and there is nobody to run PostgreSQL as.
    #[error(
        "PostgreSQL must not run as root, and there is no user `postgres` or `nobody`: add one"
    )]
    NoUser,
    /// The user that PostgreSQL runs as cannot reach the data directory.
    #[error(
        "PostgreSQL runs as user {user}, who may not enter {}: choose a data_dir elsewhere, such as \
         /var/lib/muster, or run chmod o+x on that directory",
        .directory.display()
    )]
    NotTraversable {
        /// The directory in the way.
        directory: PathBuf,
        /// The user's name.
        user: String,
    },
    /// A directory that Muster needs belongs to somebody else.
    #[error(
        "{} belongs to another user (uid {owner}): start Muster as that user or as root, or choose \
         another data_dir",
        .directory.display()
    )]
    ForeignOwner {
        /// The directory.
        directory: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A PostgreSQL that an earlier Muster left behind does not stop.
    #[error("the PostgreSQL left behind by an earlier Muster (pid {pid}) does not stop: end it")]
    Orphan {
        /// Its process id.
        pid: i32,
    },
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server does not become ready.
    #[error("PostgreSQL does not start; the end of {}:\n{tail}", .log.display())]
    Start {
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server's address cannot be understood. The address is not repeated: it has a password.
    #[error("not a PostgreSQL address ({0}); allowed: postgres://user:password@host:port/database")]
    Address(String),
    /// No configured server takes writes; one reason for each.
    #[error("no PostgreSQL server takes writes: {0}")]
    NoPrimary(String),
    /// The server refused a statement.
    #[error("PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
}

impl PgError {
    /// For `map_err`: an I/O failure with what was attempted on which path.
    fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("{what} {}", path.display());
        move |source| Self::Io { what, source }
    }
}
