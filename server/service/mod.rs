//! What people and programs can ask Muster to do: one file per resource, called by `api`, `web` and
//! the command line alike.
//!
//! Each call takes a [`crate::ctx::Ctx`] and asks it first; opens the one transaction of the
//! command; writes the audit entry of a change in that transaction; and commits last. It holds no
//! HTTP, no HTML and no SQL. Nothing above it may call `store`: that is how nothing is done without
//! being asked for its right.
//!
//! What somebody may not see does not exist for them: [`crate::error::Error::NotFound`]. What they
//! may see and not do is [`crate::error::Error::Denied`].

pub mod accept_rules;
pub mod account;
pub mod artifacts;
pub mod audit;
pub mod backups;
pub mod bench;
pub mod claims;
pub mod completion;
pub mod desired;
pub mod devices;
pub mod export;
pub mod groups;
pub mod idempotency;
pub mod inspect;
pub mod jobs;
pub mod live;
pub mod overview;
pub mod profiles;
pub mod releases;
pub mod roles;
pub mod rollouts;
pub mod sampler;
pub mod secrets;
pub mod sites;
pub mod support;
pub mod sweeps;
pub mod system;
pub mod templates;
pub mod tokens;
pub mod transcripts;
pub mod users;
pub mod views;
pub mod webhooks;
