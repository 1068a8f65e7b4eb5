//! Where a device is called: at the host of its connection request URL.

use std::net::IpAddr;

use tokio::net::lookup_host;
use url::{Host, Url};

use crate::acs::wake_client::WakePolicy;

/// The address of a device that takes connection requests at `url`: the one that was checked is the one
/// that is called, so that a name cannot answer with another the second time.
///
/// # Errors
/// Why there is none, for an operator.
pub(super) async fn of(url: Option<&str>, policy: &WakePolicy) -> Result<IpAddr, String> {
    let none = || "the device has not said where it takes connection requests".to_owned();
    let url = url.map(str::trim).filter(|url| !url.is_empty()).ok_or_else(none)?;
    let bad = |why: String| format!("the connection request URL of the device is of no use: {why}");
    let url = Url::parse(url).map_err(|e| bad(e.to_string()))?;
    let found: Vec<IpAddr> = match url.host() {
        None => return Err(bad("it names no host".to_owned())),
        Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
        Some(Host::Domain(name)) => match lookup_host((name, 0_u16)).await {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        },
    };
    let first = found.first().ok_or_else(|| bad("its name does not resolve".to_owned()))?;
    found.iter().copied().find(|address| policy.permits(*address)).ok_or_else(|| {
        format!(
            "{first} is not called: it is an address of our own networks; if devices really live \
             there, add it to wake.allowed_networks"
        )
    })
}
