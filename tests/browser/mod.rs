//! The dashboard in a real Chromium, as people use it: each of its pages, an administrator's
//! evening, getting in, and an agent with a customer on the line.

mod accounts;
mod backups;
mod bench;
mod claims;
mod flows;
mod pages;
mod profiles;
mod rollouts;
mod stops;
mod support;
mod templates;
mod wanted;

use std::time::Duration;

use muster_sim::profile::Identity;
use serde_json::{Value, json};

use crate::harness::Muster;
use crate::harness::browser::Browser;
use crate::harness::kit::{Api, Fleet};
use crate::harness::session::{ADMIN, Session};

/// The name of a device's first Wi-Fi network.
const SSID: &str = "Device.WiFi.SSID.1.SSID";
/// A password that nobody else has.
const OWN: &str = "three-quiet-lighthouses";

/// A server and the devices in its hands, all of which it has read.
struct Net {
    fleet: Fleet,
    api: Api,
    muster: Muster,
}

impl Net {
    /// With so many devices, which enrol as real ones do.
    async fn start(devices: u32) -> Self {
        // One order comes upon another here: a device is called for each.
        let mut muster = Muster::start(&[("MUSTER_WAKE__MINIMUM_GAP_SECONDS", "1")]).await;
        let api = Api::of(&mut muster);
        let fleet = Fleet::start(&muster, devices, |options| {
            // Their tests are over soon, and they come when they are called.
            options.time_scale = 10.0;
            options.periodic_interval = Duration::from_secs(36_000);
        })
        .await;
        for index in 0..devices {
            api.ready(&fleet.serial(index)).await;
        }
        Self { fleet, api, muster }
    }

    /// A device with Wi-Fi.
    fn with_wifi(&self) -> Identity {
        let mut all = (0..).map(|index| self.fleet.handle().identity(index));
        all.find(|device| device.profile().radios > 0).unwrap()
    }

    /// A browser in which the first administrator is logged in.
    async fn administrator(&self) -> Browser {
        let browser = Browser::start(self.muster.web).await;
        browser.enter_as(&Session::opened(&self.muster, ADMIN).await).await;
        browser
    }

    /// What the device itself says of a parameter.
    async fn value(&self, serial: &str, name: &str) -> Value {
        let id = self.api.order(serial, json!({ "kind": "get", "names": [name] })).await;
        self.api.done(&id).await["result"]["parameters"][0]["value"].clone()
    }
}

/// Gives a name and a password at the log-in that is open.
async fn give_password(browser: &Browser, login: &str, password: &str) {
    browser.fill("#login", login).await;
    browser.fill("#password", password).await;
    browser.press("Log in").await;
}

/// Logs in with a password that was given, and changes it as one must.
async fn begin(browser: &Browser, login: &str, given: &str) {
    give_password(browser, login, given).await;
    browser.sees("h1", "Choose your own password").await;
    browser.fill("#old_password", given).await;
    browser.fill("#password", OWN).await;
    browser.fill("#again", OWN).await;
    browser.press("Change the password").await;
}

/// Logs out by the menu.
async fn leave(browser: &Browser) {
    browser.click("[popovertarget=me]").await;
    browser.press("Log out").await;
    browser.sees(".note", "You are logged out").await;
}
