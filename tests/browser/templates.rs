//! An operator writes a template: is told what is wrong with it while it is written, sees what it
//! gives for a device, keeps it, changes it and sees what changed; copies it, and removes the copy.

use serde_json::json;

use super::Net;
use crate::harness::browser::Browser;
use crate::harness::kit::device_path;

/// What stands in a page in place of a secret.
const MASK: &str = "********";
const SECRET: &str = "three-quiet-lanterns";
const VARIABLES: &str = "[[variables]]\nname = \"dns\"\ntype = \"ip\"\nrequired = true\n\n\
    [[variables]]\nname = \"guest_password\"\ntype = \"secret\"\nrequired = true\n";
const BODY: &str = "/system identity set name={{ device.serial }}\n\
    /ip dns set servers={{ dns }}\n\
    /ppp secret set [find name=guests] password={{ guest_password }} comment=old\n";

#[tokio::test]
async fn a_template_is_written_mended_tried_kept_and_changed() {
    let net = Net::start(1).await;
    let serial = net.fleet.serial(0);
    let values = json!({ "variables": { "dns": "9.9.9.9", "guest_password": SECRET } });
    let path = format!("{}/desired", device_path(&serial));
    let (status, answer) = net.api.call("PATCH", &path, Some(values)).await;
    assert_eq!(status, 200, "{answer}");
    let browser = net.administrator().await;

    browser.open("/templates").await;
    browser.press("New template").await;
    write_and_mend(&browser).await;
    browser.fill("#device", &serial).await;
    browser.sees("#seen pre", "/ip dns set servers=\"9.9.9.9\"").await;
    browser.sees("#seen pre", &format!("password=\"{MASK}\"")).await;
    browser.sees("#seen pre", &serial).await;
    browser.sees("#seen .card", "3 lines").await;
    browser.sees("#seen .card", "Nothing to compare with").await;
    browser.press("Save").await;

    browser.sees("h1", "guests").await;
    browser.sees("td", "Version 1").await;
    let here = browser.path().await;
    browser.fill("#device", &serial).await;
    browser.press("What does it give?").await;
    browser.sees("pre", &format!("password=\"{MASK}\"")).await;
    let page = browser.run("return document.documentElement.outerHTML").await;
    assert!(!page.as_str().unwrap().contains(SECRET), "{page}");

    change(&browser, &here).await;
    copy_and_remove(&browser, &here).await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// Writes what cannot be kept, is led to the line, and mends it.
async fn write_and_mend(browser: &Browser) {
    browser.fill("#name", "guests").await;
    browser.fill("#variables", "[[variables]]\nname = \"dns\"\ntype = \"address\"\n").await;
    let wrong = BODY.replace("/ip dns", "/ipp dns");
    browser.fill("#body", &wrong).await;
    browser.sees("#seen li", "line 1: unknown variant").await;
    browser.fill("#variables", VARIABLES).await;
    browser.sees("#seen li", "line 2: `/ipp` is no menu that is known").await;
    browser.press("Save").await;
    browser.sees("#body-error", "line 2: `/ipp` is no menu that is known").await;
    let said = browser.complaints().await;
    assert!(said.iter().all(|line| line.contains("status of 422")), "{said:?}");
    browser.press("Go there").await;
    let chosen = "const field = document.activeElement;
        return field.value.slice(field.selectionStart, field.selectionEnd)";
    assert_eq!(browser.run(chosen).await, "/ipp dns set servers={{ dns }}");
    browser.fill("#body", BODY).await;
    browser.sees("#seen [role=status]", "nothing found").await;
}

/// Makes a second version, and sees how it differs.
async fn change(browser: &Browser, here: &str) {
    browser.press("Change").await;
    browser.fill("#body", &BODY.replace("comment=old", "comment=new")).await;
    browser.fill("#note", "they have come").await;
    browser.press("Save").await;
    browser.sees(".note", "version 2 is the newest").await;
    assert_eq!(browser.path().await, here);
    browser.press("Version 2").await;
    browser.sees(".facts", "they have come").await;
    browser.sees(".diff del", "old").await;
    browser.sees(".diff ins", "new").await;
}

/// A copy has one version, and goes when its name is typed.
async fn copy_and_remove(browser: &Browser, here: &str) {
    browser.open(here).await;
    browser.press("Copy…").await;
    browser.find("#copy[open]").await;
    browser.fill("#name", "visitors").await;
    browser.press("Copy").await;
    browser.sees("h1", "visitors").await;
    browser.sees(".facts", "a copy of guests, version 2").await;
    browser.press("Remove").await;
    browser.find("#remove[open]").await;
    browser.fill("#remove-confirm", "visitors").await;
    browser.click("#remove button[type=submit]").await;
    browser.sees(".note", "The template visitors is removed").await;
    browser.sees("td", "guests").await;
}
