//! The commands that are not the server itself: tokens, the enrolment credential, the simulator and
//! packages for it, the benchmark.

mod benchmark;
mod client;
mod console;
mod learn;
mod make_packages;
mod render_worker;
mod simulate;
mod token;
mod user;

pub use benchmark::{Benchmark, benchmark};
pub use client::{Completion, Remote, remote};
pub use learn::{Learn, learn};
pub use make_packages::{MakePackages, make_packages};
pub use render_worker::{RenderWorker, render_worker};
pub use simulate::{Simulate, simulate};
pub use token::{Token, enrolment, token};
pub use user::{User, user};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token on SIGINT or SIGTERM; a second signal ends the process at once.
pub async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be caught: stop this process by SIGKILL only");
        return;
    };
    for first in [true, false] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if first {
            tracing::info!("stopping; again to stop at once");
            stop.cancel();
        } else {
            std::process::exit(130);
        }
    }
}
