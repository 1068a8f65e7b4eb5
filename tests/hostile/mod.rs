//! Bad input at the CWMP port: each ends in a clear answer and a log line, and the next good device
//! is served at once.

mod malformed;
mod odd;
mod oversized;
mod serials;
mod slow;

use std::time::Duration;

use crate::acs::decoded;
use crate::harness::Muster;
use crate::harness::cpe::{Cpe, inform};

/// Far longer than a session's two messages take, far shorter than any deadline of the server.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A good device comes, and is served at once.
async fn serves_the_next(muster: &Muster) {
    let session = async {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        decoded(&cpe.post(&inform("GOOD", &["2 PERIODIC"])).await);
        let reply = cpe.empty().await;
        assert!(matches!(reply.status, 200 | 204), "{reply:?}");
    };
    tokio::time::timeout(AT_ONCE, session).await.expect("the next good device is served at once");
}

/// Lines of the log about refused messages.
fn refusals(muster: &Muster) -> usize {
    muster.log().matches("refused: ").count()
}
