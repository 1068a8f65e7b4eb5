//! The one place that reads the wall clock. Domain code takes the time as an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// Now, to the microsecond: PostgreSQL stores no finer time, and a value that was stored must equal
/// the one it was stored from.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
