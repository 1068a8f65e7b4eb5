//! Zero touch at the door: claims, who takes them, who waits, and who is sent away.

mod address;
mod expected;
mod own;
mod rules;
mod tables;
mod values;
mod waiting;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::acs::finish;
use crate::harness::cpe::{Cpe, Reply, inform};
use crate::harness::kit::Api;
use crate::harness::{LAB, Muster};

/// What may be asked of a device that waits.
const READS: [&str; 2] = ["GetParameterNames", "GetParameterValues"];

async fn lab(unknown: &str) -> (Muster, Api) {
    let mut muster = Muster::start(&[LAB[0], ("MUSTER_ZERO_TOUCH__UNKNOWN", unknown)]).await;
    let api = Api::of(&mut muster);
    (muster, api)
}

/// The claim of this serial number.
async fn claim(api: &Api, serial: &str) -> Value {
    let page = api.get(&format!("/api/v1/claims?q={serial}")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    page["items"][0].clone()
}

/// A device informs; the session goes on.
async fn come(muster: &Muster, serial: &str) -> (Cpe, Reply) {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = cpe.post(&inform(serial, &["2 PERIODIC"])).await;
    (cpe, reply)
}

/// The same of a whole session; gives what it was asked.
async fn visit(muster: &Muster, serial: &str) -> Vec<&'static str> {
    let (mut cpe, reply) = come(muster, serial).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    finish(&mut cpe).await
}

/// When a device was let in by a claim, a rule or somebody.
async fn admitted_at(muster: &Muster, serial: &str) -> Option<DateTime<Utc>> {
    sqlx::query_scalar("select admitted_at from device_facts where serial = $1")
        .bind(serial)
        .fetch_one(&muster.pool)
        .await
        .unwrap()
}
