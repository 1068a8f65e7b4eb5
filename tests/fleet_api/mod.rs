//! The fleet in order: sites, tags, groups, selectors, and one job on many devices.

mod devices;
mod many;
mod readers;
mod sites;

use url::form_urlencoded;

use crate::harness::Muster;
use crate::harness::cpe::{inform_with, meet};
use crate::harness::kit::{Api, server, texts};

/// A server that knows these devices, each with its software version.
async fn fleet(devices: &[(&str, &str)]) -> (Muster, Api) {
    let (muster, api) = server().await;
    for (serial, version) in devices {
        let version = ("Device.DeviceInfo.SoftwareVersion", *version);
        let message = inform_with(serial, &["2 PERIODIC"], &[version]);
        meet(muster.cwmp, &message).await;
    }
    (muster, api)
}

/// The serial numbers that a selector finds, in order.
async fn found(api: &Api, selector: &str) -> Vec<String> {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", selector).finish();
    let mut serials = texts(&api.get(&format!("/api/v1/devices?{query}")).await, "serial");
    serials.sort();
    serials
}
