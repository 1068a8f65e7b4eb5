//! The command line over the REST API: the real program against the real server.

mod devices;
mod jobs;
mod people;
mod terminal;
mod things;

use crate::harness::cpe::{inform_with, meet};
use crate::harness::{LAB, Muster};

/// A server that knows devices with these serials, the first of them with an old version.
async fn fleet(serials: &[&str]) -> Muster {
    let muster = Muster::start(LAB).await;
    for (n, serial) in serials.iter().enumerate() {
        let version = if n == 0 { "6.49.10" } else { "7.16.1" };
        let version = ("Device.DeviceInfo.SoftwareVersion", version);
        meet(muster.cwmp, &inform_with(serial, &["2 PERIODIC"], &[version])).await;
    }
    muster
}
