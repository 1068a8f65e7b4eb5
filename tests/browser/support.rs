//! An agent with a customer on the line: made by an administrator, seeing and doing nothing but
//! their own, and found in the audit log afterwards.

use serde_json::json;

use super::{Net, SSID, begin, leave};
use crate::harness::browser::Browser;
use crate::harness::session::{ADMIN, Session};

/// What is in no other name.
const NAME: &str = "Kitchen and garden";

#[tokio::test]
async fn an_agent_changes_a_wifi_name_and_the_audit_log_knows_who_it_was() {
    let net = Net::start(1).await;
    let device = net.with_wifi();
    let browser = net.administrator().await;
    let password = make_agent(&browser).await;

    begin(&browser, "sue", &password).await;
    browser.sees("h1", "Support").await;
    assert_eq!(browser.path().await, "/support");
    let sections = "return Array.from(document.querySelectorAll('.rail a'), a => a.textContent)";
    assert_eq!(browser.run(sections).await, json!(["Support"]));
    assert_eq!(browser.complaints().await, [""; 0]);
    for path in ["/devices", "/jobs", "/users", "/audit", "/system"] {
        browser.open(path).await;
        browser.sees("h1", "403").await;
        // A page that is refused is an error to the console, whatever it says.
        let refused = browser.complaints().await;
        assert!(refused.len() == 1 && refused[0].contains("status of 403"), "{refused:?}");
    }
    browser.open("/").await;
    browser.sees("h1", "Support").await;
    rename(&browser, &device.serial).await;
    assert_eq!(browser.complaints().await, [""; 0]);
    assert_eq!(net.value(&device.serial, SSID).await, NAME, "the device itself");

    browser.enter_as(&Session::opened(&net.muster, ADMIN).await).await;
    browser.open("/audit").await;
    browser.fill("[name=text]", NAME).await;
    browser.press("Search").await;
    browser.sees(".filter", "Show all").await;
    browser.sees("td", "device.set_wifi").await;
    browser.sees("td", &device.serial).await;
    browser.sees("td", "sue").await;
    browser.click("td summary").await;
    browser.sees(".diff ins", NAME).await;
    browser.sees(".diff del", &device.serial[device.serial.len() - 4..]).await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// The administrator makes sue, who is for support only, and leaves; gives her password.
async fn make_agent(browser: &Browser) -> String {
    browser.open("/users").await;
    browser.press("New user").await;
    browser.fill("#login", "sue").await;
    browser.fill("#display_name", "Sue of the hotline").await;
    browser.choose("[aria-label='Role 1']", "support").await;
    browser.press("Make the user").await;
    browser.sees("h1", "sue is made").await;
    let password = browser.text(".copyable code").await;
    browser.press("Done: I have it").await;
    browser.sees("h1", "sue").await;
    leave(browser).await;
    password
}

/// The agent finds the customer's device, gives its Wi-Fi another name, and sees that it has it.
async fn rename(browser: &Browser, serial: &str) {
    browser.fill("#q", serial).await;
    browser.press("Find").await;
    // The simulated households put the end of the serial into the name of their network.
    browser.sees("#network-1", &serial[serial.len() - 4..]).await;
    browser.click("#network-1 [data-command]").await;
    browser.fill("#edit #name", NAME).await;
    browser.press("Save").await;
    browser.sees(".note", "The change is on its way to the device.").await;
    // All of this by itself, while she looks.
    browser.sees("#network-1", "The device has confirmed the change.").await;
    browser.sees("#network-1 strong", NAME).await;
}
