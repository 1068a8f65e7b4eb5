//! The integration tests: the real binary on a real PostgreSQL, spoken to over real sockets.
//! `tests/run` starts the database and names it in `TEST_DATABASE_URL`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

mod access;
mod acs;
mod api;
mod backups;
mod browser;
mod careful;
mod chaos;
mod claims;
mod cli;
mod cli_client;
mod desired;
mod desired_pace;
mod embedded;
mod files;
mod firmware;
mod fleet;
mod fleet_api;
mod handmade;
mod hostile;
mod jobs;
mod netboot;
mod npk_oracle;
mod oidc;
mod profiles;
mod quickset;
mod recorded;
mod rollout;
mod rotation;
mod sealed_files;
mod selector;
mod smoke;
mod telemetry;
mod templates;
mod transcripts;
mod web;
mod webhooks;
mod zero_touch;
