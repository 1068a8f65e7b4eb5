//! The bench: factory-fresh boards are served over BOOTP, TFTP and Netinstall, each with its own script.
//!
//! Owns that nobody is served by default: nothing is sent on an interface that no person has armed, and
//! then only to boards that were claimed or allowed; each gets one delivery, which is stored before it
//! could be offered another; and none is formatted that was not armed for that by its name. The
//! machines of the wire are in `muster_netboot`.
//!
//! - [`mod@bench`]: what a bench is. [`arming`]: for what one is armed, and a board; pure.
//! - [`policy`]: who is served; pure. [`decide`]: one decision, from what is stored at that moment.
//!   [`prepare`]: the script of a board. [`images`]: the large things that boards read.
//! - [`engine`]: all that happens at a bench, as one machine; pure. [`socket`]: its sockets.
//!   [`responder`]: the one around the other. [`minder`]: heartbeat, and what people said.
//! - [`record`]: what is kept of each board. [`confirm`]: which boards have come.

pub mod arming;
pub mod bench;
pub mod confirm;
pub mod decide;
pub mod engine;
pub mod images;
pub mod minder;
pub mod policy;
pub mod prepare;
pub mod record;
pub mod responder;
pub mod socket;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ctx::Shared;
use bench::Bench;
use images::Library;

/// Runs the benches of this node until the token is cancelled; without any, only looks which boards have
/// come. What happened is written before it ends.
pub async fn run(app: Shared, stop: CancellationToken) {
    let (host, library) = (bench::host(), Arc::new(Library::default()));
    let mut tasks = JoinSet::new();
    tasks.spawn(confirm::run(app.clone(), stop.clone()));
    for interface in &app.config.bench.interfaces {
        let bench = Bench::of(&host, interface);
        tasks.spawn(responder::run(app.clone(), bench, Arc::clone(&library), stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if !stop.is_cancelled() {
            tracing::error!("a bench ended: {ended:?}");
            return;
        }
    }
}
