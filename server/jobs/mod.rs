//! Jobs: one piece of work on one device each, persistent, ordered per device, leased, retried,
//! expiring (design section 2).
//!
//! - [`spec`]: what can be asked, as types that cannot hold a dangerous mistake.
//! - [`machine`], [`refresh`] and [`diagnose`]: the RPCs a job takes, as pure machines.
//! - [`release`]: which stored packages make an upgrade; [`upgrade`]: what proves that a device took
//!   it. Both pure.
//! - [`retry`]: what a fault means for the job.
//! - [`bulk`]: the same job on every device of a selector. [`before`]: the configuration is kept first.
//! - [`queue`]: creating, leasing, settling and closing them in the database.
//!
//! Nothing here touches a socket: a CWMP session (`acs::driver`) runs the machines.

pub mod before;
pub mod bulk;
pub mod diagnose;
pub mod download;
pub mod machine;
pub mod queue;
pub mod refresh;
pub mod release;
pub mod retry;
pub mod spec;
pub mod sweep;
pub mod upgrade;
