//! Somebody finds out what was changed on a device by hand: takes a backup, and another one, sees word
//! by word what differs, says what is right, and comes to the same from what changed last night.

use serde_json::json;

use super::Net;
use super::stops::id;
use crate::harness::browser::Browser;

#[tokio::test]
async fn what_changed_on_a_device_is_seen_word_by_word_and_accepted() {
    let net = Net::start(1).await;
    let serial = net.fleet.serial(0);
    let home = format!("/devices/{}/backups", id(&net, &serial).await);
    let browser = net.administrator().await;

    browser.open(&home).await;
    browser.sees("#backups", "No backup yet").await;
    for (name, backups) in [("attic", 1), ("cellar", 2)] {
        call(&net, &serial, name).await;
        take(&browser, backups).await;
    }

    browser.press("+1 −1 lines").await;
    browser.sees("#differs", "What differs").await;
    browser.sees(".diff del", "attic").await;
    browser.sees(".diff ins", "cellar").await;
    let newest = browser.path().await.replace("/diff", "");

    // The one before it was right.
    browser.open(&home).await;
    browser.click("#backups tbody tr:last-child .lead a").await;
    browser.sees("#text h3", "/system identity").await;
    browser.sees("#text pre", "attic").await;
    browser.press("Accept").await;
    browser.sees(".note", "It is accepted").await;
    browser.sees(".state", "accepted").await;

    // And then it was not.
    browser.open(&newest).await;
    browser.press("Compare with the accepted one").await;
    browser.sees(".diff ins", "cellar").await;
    browser.press("Accept").await;
    browser.sees(".note", "It is accepted").await;
    assert_eq!(browser.path().await, newest);
    refuse_to_restore(&browser).await;

    browser.open("/changes").await;
    browser.sees("#changes td", "+1 −1 lines").await;
    browser.click("#changes .lead a").await;
    browser.sees(".diff ins", "cellar").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// Somebody gives a device this name, by a script.
async fn call(net: &Net, serial: &str, name: &str) {
    let script = format!("/system identity set name={name}\n");
    let artifact = net.api.store(&format!("{name}.rsc"), script.as_bytes()).await;
    let file = json!({ "type": "alter" });
    let job = json!({ "kind": "download", "artifact_id": artifact, "file": file, "backup": false });
    net.api.done(&net.api.order(serial, job).await).await;
}

/// Orders a backup, and sees it come.
async fn take(browser: &Browser, backups: usize) {
    browser.press("Take one now").await;
    browser.sees("#progress", "The file has arrived").await;
    let rows = "document.querySelectorAll('#backups tbody tr').length";
    browser.until("the backup is there", &format!("return {rows} === {backups}")).await;
}

/// Nothing is given back before the words were typed, to the letter.
async fn refuse_to_restore(browser: &Browser) {
    browser.press("Restore…").await;
    browser.sees("#restore[open] li", "certificates").await;
    browser.fill("#restore-confirm", "overwrite").await;
    browser.find("#restore [type=submit]:disabled").await;
    browser.fill("#restore-confirm", "overwrite the whole configuration").await;
    browser.find("#restore [type=submit]:enabled").await;
    browser.press("Cancel").await;
}
