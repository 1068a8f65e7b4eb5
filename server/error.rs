//! What can go wrong in a domain call: a public sentence for whoever asked, and a private source
//! for the log. Transport-free: `api::problem` and `acs` map it once, at the edge.

use thiserror::Error;

/// A domain call's failure.
#[derive(Debug, Error)]
pub enum Error {
    /// What was named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What was sent cannot be taken; `pointer` is an RFC 6901 pointer into the request, or empty.
    #[error("{message}")]
    Invalid {
        /// Where in the request.
        pointer: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The present state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// It has changed since the caller looked at it.
    #[error("{0}")]
    Stale(String),
    /// The caller may not do this.
    #[error("{0}")]
    Denied(String),
    /// Too large; the message names the limit.
    #[error("{0}")]
    TooLarge(String),
    /// Too much is asked at once; may be asked again.
    #[error("{0}")]
    Busy(String),
    /// The database did not answer; nothing was changed.
    #[error("the database is not available")]
    Database(#[source] sqlx::Error),
    /// The file store did not answer.
    #[error("the file store is not available")]
    Files(#[from] object_store::Error),
    /// A bug or a broken installation; the text is for the log only.
    #[error("internal error")]
    Internal(String),
}

impl Error {
    /// An [`Error::Invalid`] with a pointer.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { pointer: pointer.into(), message: message.into() }
    }

    /// The cause for the log, with the private part.
    pub fn private(&self) -> String {
        match self {
            Self::Database(e) => format!("database: {e}"),
            Self::Files(e) => format!("file store: {e}"),
            Self::Internal(e) => e.clone(),
            Self::NotFound(e)
            | Self::Conflict(e)
            | Self::Stale(e)
            | Self::Busy(e)
            | Self::Denied(e)
            | Self::TooLarge(e) => e.clone(),
            Self::Invalid { pointer, message } => format!("{pointer}: {message}"),
        }
    }
}

/// Text that PostgreSQL cannot hold is the caller's fault, wherever it came in: U+0000 (22021), also
/// escaped in JSON (22P05).
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code());
        if matches!(code.as_deref(), Some("22021" | "22P05")) {
            return Self::invalid("", "text must not hold the character U+0000");
        }
        // A statement that took longer than it may.
        if code.as_deref() == Some("57014") {
            return Self::Busy("this took too long: narrow it, or try again".to_owned());
        }
        drop(code);
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy("the database is busy or away: try again".to_owned());
        }
        Self::Database(error)
    }
}
