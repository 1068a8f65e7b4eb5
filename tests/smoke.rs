//! The shortest way through: a periodic session, and a fleet that appears.

use crate::harness::cpe::{Cpe, inform};
use crate::harness::{LAB, Muster};

#[tokio::test]
async fn a_periodic_session_is_inform_empty_204() {
    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = cpe.post(&inform("SMOKE1", &["2 PERIODIC"])).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.starts_with("<soap"), "no XML declaration: {}", reply.body);
    assert!(reply.body.contains("InformResponse"), "{}", reply.body);
    assert!(reply.cookie().is_some());
}
