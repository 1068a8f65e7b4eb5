//! PostgreSQL: one file per aggregate, plain async functions over sqlx.
//!
//! Owns every SQL statement of the server. It knows no rules: what a statement is for is decided
//! above. Time comes in as an argument, so that a test can say what time it is.

pub mod absences;
pub mod accept_rules;
pub mod artifacts;
pub mod audit;
pub mod backups;
pub mod bench;
pub mod claims;
pub mod completion;
pub mod connection_requests;
pub mod credentials;
pub mod deliveries;
pub mod desired;
pub mod device_packages;
pub mod device_secrets;
pub mod devices;
pub mod events;
pub mod factory_trials;
pub mod groups;
pub mod idempotency;
pub mod informs;
pub mod jobs;
pub mod live;
pub mod nodes;
pub mod overview;
pub mod packages;
pub mod parameters;
pub mod pg;
pub mod profiles;
pub mod releases;
pub mod roles;
pub mod rollouts;
pub mod samples;
pub mod selector;
pub mod settings;
pub mod sites;
pub mod sweeps;
pub mod system;
pub mod templates;
pub mod tokens;
pub mod transcripts;
pub mod uplinks;
pub mod user_sessions;
pub mod users;
pub mod views;
pub mod wants;
pub mod webhooks;
pub mod within;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// The schema that this binary needs.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Brings the schema up to date under PostgreSQL's advisory lock: nodes that start together wait
/// for the first. Also makes the partitions of the coming months.
pub async fn migrate(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    MIGRATOR.run(pool).await.map_err(|e| sqlx::Error::Protocol(e.to_string()))?;
    events::make_partitions(pool, now).await
}
