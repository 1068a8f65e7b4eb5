//! An administrator's evening: from the first log-in to the reason why a job failed, and all of it
//! once more by the keyboard.

use muster_sim::profile::Identity;

use super::{Net, SSID, begin};
use crate::harness::browser::{Browser, CONTROL, ENTER};
use crate::harness::kit::Fleet;
use crate::harness::session::ADMIN;

const DEVICES: u32 = 4;
/// What is in no other name.
const NAME: &str = "Lighthouse";
/// What no device lets be set.
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";

#[tokio::test]
async fn an_administrator_finds_changes_and_restarts_devices_and_learns_why_a_job_failed() {
    let net = Net::start(DEVICES).await;
    let device = net.with_wifi();
    let browser = Browser::start(net.muster.web).await;
    log_in(&browser, &net).await;
    let late = watch_one_arrive(&browser, &net).await;
    let all = (0..DEVICES).map(|index| net.fleet.handle().identity(index));
    let alike = |other: &Identity| other.profile() == device.profile();
    let count = all.chain([late.handle().identity(0)]).filter(alike).count();

    find_by_selector(&browser, &device, count).await;
    let found = browser.path().await;
    rename_wifi(&browser, &net, &device.serial).await;
    browser.open(&found).await;
    let boots = net.fleet.handle().stats().boots + late.handle().stats().boots;
    restart_all(&browser, count).await;
    let after = net.fleet.handle().stats().boots + late.handle().stats().boots;
    assert_eq!(after, boots + count as u64, "the devices themselves");
    fail(&browser, &device.serial).await;
    go_by_keys(&browser, &device.serial).await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// With the password that was made for the first administrator.
async fn log_in(browser: &Browser, net: &Net) {
    let file = net.muster.data_dir().join("admin-password");
    let given = std::fs::read_to_string(&file).unwrap();
    browser.open("/devices").await;
    begin(browser, ADMIN, given.trim()).await;
    browser.sees("h1", "Overview").await;
    assert!(!file.exists(), "nobody needs it any more");
}

/// Looks at the list while a device is switched on somewhere.
async fn watch_one_arrive(browser: &Browser, net: &Net) -> Fleet {
    browser.press("Devices").await;
    browser.sees("#devices", &net.fleet.serial(0)).await;
    let late = Fleet::start(&net.muster, 1, |options| options.seed = 2).await;
    browser.sees("#devices", &late.serial(0)).await;
    net.api.ready(&late.serial(0)).await;
    late
}

/// Writes a selector with what is suggested, and sees nothing but what it finds.
async fn find_by_selector(browser: &Browser, device: &Identity, count: usize) {
    browser.type_in("#q", "mod").await;
    browser.press("model").await;
    browser.type_in("#q", "= ").await;
    browser.press(device.profile().board).await;
    browser.strike(&[ENTER]).await;
    browser.until("it is asked for", "return location.search.startsWith('?q=model+')").await;
    browser.sees("#devices", &device.serial).await;
    let rows = "document.querySelectorAll('#devices tbody tr').length";
    browser.until("these are found", &format!("return {rows} === {count}")).await;
}

/// Changes a value in its place in the tree, and sees what the device says of it.
async fn rename_wifi(browser: &Browser, net: &Net, serial: &str) {
    browser.press(serial).await;
    browser.press("Parameters").await;
    browser.fill("#q", "wifi ssid.1.ssid").await;
    browser.click(&format!("[aria-label='Edit {SSID}']")).await;
    browser.fill("form.change [name=value]", NAME).await;
    browser.press("Set it").await;
    browser.sees("p.change", &format!("Confirmed by the device: {NAME}")).await;
    browser.sees("#tree .value", NAME).await;
    assert_eq!(net.value(serial, SSID).await, NAME, "the device itself");
}

/// Restarts all that the list shows, and sees that each has come back.
async fn restart_all(browser: &Browser, count: usize) {
    browser.click("[name=all]").await;
    browser.choose("#action", "Reboot").await;
    browser.press("Go on").await;
    let order = format!("Reboot: {count} devices");
    browser.sees("h1", &order).await;
    browser.press(&order).await;
    browser.sees(".stats", "jobs made").await;
    browser.press("See the jobs").await;
    let states = "Array.from(document.querySelectorAll('#jobs tbody .state'), s => s.textContent)";
    let done = format!(
        "const states = {states};
         return states.length === {count} && states.every(state => state === 'done')"
    );
    browser.until("all have come back", &done).await;
}

/// Orders what cannot be done, chosen by the keyboard, and follows it to the reason in words.
async fn fail(browser: &Browser, serial: &str) {
    browser.open(&format!("/devices?q=serial+%3D+%22{serial}%22")).await;
    browser.strike(&['j']).await;
    browser.strike(&['x']).await;
    browser.sees("[data-chosen]", "1").await;
    browser.choose("#action", "Set a parameter").await;
    browser.press("Go on").await;
    browser.fill("#name", VERSION).await;
    browser.fill("#value", "9.9").await;
    browser.press("Set a parameter: 1 device").await;
    browser.press("See the jobs").await;
    browser.click("#jobs tr:has(.is-failed) .lead a").await;
    browser.sees("h1", "Set parameters").await;
    browser.sees("#job .note", "the device refused").await;
    browser.sees("#job .note", "The order does not fit this device").await;
    browser.sees("#job td", VERSION).await;
    browser.sees("#job td", "9008").await;
    browser.sees("#job td", "attempt to set a non-writable parameter").await;
}

/// Finds a device, opens a row of the list, and goes to a page, without a mouse.
async fn go_by_keys(browser: &Browser, serial: &str) {
    browser.open("/devices").await;
    browser.strike(&['/']).await;
    write(browser, serial).await;
    browser.strike(&[ENTER]).await;
    browser.until("it is open", "return location.pathname.startsWith('/devices/')").await;
    browser.sees("main .mono", serial).await;

    browser.open("/devices").await;
    let rows = "return Array.from(document.querySelectorAll('#devices tbody th a'), a => a.href)";
    let rows = browser.run(rows).await;
    for key in ['j', 'j', 'j', 'k'] {
        browser.strike(&[key]).await;
    }
    assert_eq!(browser.run("return document.activeElement.href").await, rows[1], "{rows}");
    browser.strike(&[ENTER]).await;
    browser.until("the row is open", &format!("return location.href === {}", rows[1])).await;

    browser.strike(&[CONTROL, 'k']).await;
    browser.find("dialog.palette").await;
    write(browser, "audit").await;
    let one = "return document.querySelectorAll('.palette [role=option]').length === 1";
    browser.until("one is left", one).await;
    browser.sees(".palette [aria-selected=true]", "Audit log").await;
    browser.strike(&[ENTER]).await;
    browser.sees("h1", "Audit log").await;
}

/// Strikes the keys of a text, one by one.
async fn write(browser: &Browser, text: &str) {
    for key in text.chars() {
        browser.strike(&[key]).await;
    }
}
