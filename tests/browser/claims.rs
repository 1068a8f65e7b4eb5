//! A delivery of routers: a table of them is looked at and imported, they come and take their claims,
//! labels are scanned, and one that nobody expects is let in with one click, the next one by a rule.

use muster_sim::profile::Identity;
use serde_json::{Value, json};

use crate::harness::Muster;
use crate::harness::browser::{Browser, ENTER};
use crate::harness::kit::{Api, Fleet, device_path};
use crate::harness::session::{ADMIN, Session};

/// Nobody is let in but who is expected.
const SHUT: (&str, &str) = ("MUSTER_ZERO_TOUCH__UNKNOWN", "quarantine");
/// Of the fleet, whose serial numbers follow from it.
const SEED: u64 = 11;

/// A server that lets nobody in, with two sites, and a browser at it.
async fn begin() -> (Muster, Api, Browser) {
    let mut muster = Muster::start(&[SHUT]).await;
    let api = Api::of(&mut muster);
    for path in ["eu", "eu.lv"] {
        api.made("/api/v1/sites", json!({ "path": path }), "site_id").await;
    }
    let browser = Browser::start(muster.web).await;
    browser.enter_as(&Session::opened(&muster, ADMIN).await).await;
    (muster, api, browser)
}

/// Switches on so many devices of the fleet.
async fn switch_on(muster: &Muster, devices: u32) -> Fleet {
    Fleet::start(muster, devices, |options| options.seed = SEED).await
}

fn serial(index: u32) -> String {
    Identity::derive(SEED, index).serial
}

#[tokio::test]
async fn a_delivery_is_imported_and_a_stranger_is_let_in_with_one_click() {
    let (muster, api, browser) = begin().await;
    let (expected, stranger) = (serial(0), serial(1));

    browser.open("/claims").await;
    browser.sees("#claims", "No claim yet").await;
    import(&browser, &api, &expected).await;
    let _fleet = switch_on(&muster, 2).await;
    // The list follows by itself.
    browser.sees("#claims td .state", "taken").await;
    let device = api.get(&device_path(&expected)).await;
    assert_eq!((&device["site"], &device["customer"]), (&json!("eu.lv"), &json!("4711")));
    browser.press(&expected).await;
    browser.sees("h1", &expected).await;
    browser.sees(".note", "has taken it").await;
    browser.press("Its device").await;
    browser.sees(".mono", &expected).await;

    let_in(&browser, &api, &stranger).await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// Pastes a table with two lines that are wrong, sees what each would do, and imports the others.
async fn import(browser: &Browser, api: &Api, expected: &str) {
    let table = format!(
        "serial,site,customer\n{expected},eu.lv,4711\nSPARE1,,\n{expected},,\nLOST1,nowhere,\n"
    );
    browser.press("Import").await;
    browser.fill("#text", &table).await;
    browser.fill("#site", "eu").await;
    browser.press("Look at it first").await;
    browser.sees("h2", "What the table would do").await;
    browser.sees("td", "line 2 has the same serial number").await;
    browser.sees("td", "there is no site nowhere").await;
    for verdict in ["new", "conflict", "wrong"] {
        browser.sees("td .state", verdict).await;
        browser.sees(".stat", verdict).await;
    }
    assert_eq!(api.get("/api/v1/claims").await["items"], json!([]), "nothing is stored yet");
    browser.press("Import 2 claims").await;
    browser.sees(".note", "Claims that are made: 2").await;
    browser.sees(".note", "Lines that are left out: 2").await;
    browser.sees("#claims td", "SPARE1").await;
    let claims = api.get("/api/v1/claims").await;
    let serials: Vec<&Value> =
        claims["items"].as_array().unwrap().iter().map(|claim| &claim["serial"]).collect();
    assert_eq!(serials, [&json!(expected), &json!("SPARE1")]);
    assert_eq!(claims["items"][1]["site"], "eu", "where the line says nothing");
}

/// Looks at who waits, says what the next one is to be, and lets it in.
async fn let_in(browser: &Browser, api: &Api, stranger: &str) {
    browser.open("/claims/unknown").await;
    browser.sees("#unknown td", stranger).await;
    browser.sees("#unknown td", "nobody claimed it").await;
    browser.fill("#site", "eu.lv").await;
    browser.fill("#tags", "found").await;
    browser.fill("#customer", "4712").await;
    browser.click(&format!("[aria-label='Claim {stranger}']")).await;
    browser.sees(".note", "is let in at eu.lv").await;
    browser.sees("#unknown", "Nobody waits").await;
    let chosen = "return document.querySelector('#site').value === 'eu.lv'
        && document.querySelector('#customer').value === ''";
    browser.until("what was chosen stays, but for the customer", chosen).await;
    let device = api.get(&device_path(stranger)).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu.lv"), &json!(["found"])));
    assert_eq!((&device["customer"], &device["quarantined_at"]), (&json!("4712"), &Value::Null));
}

#[tokio::test]
async fn what_the_template_of_a_profile_asks_for_is_the_form_of_a_claim() {
    let (_muster, api, browser) = begin().await;
    let template = json!({
        "name": "home",
        "body": "/interface/vlan/set [find name=vlan1] vlan-id={{ vlan }}\n",
        "variables": [
            { "name": "vlan", "type": "int", "label": "Number of the VLAN", "required": true },
            { "name": "ppp_password", "type": "secret", "min": 8, "label": "PPPoE password" },
        ],
    });
    let template = api.made("/api/v1/templates", template, "template_id").await;
    let desired = json!({ "template": { "template_id": template } });
    api.make("/api/v1/profiles", json!({ "name": "home", "desired": desired })).await;

    browser.open("/claims/new").await;
    browser.fill("#serial", "HGF09ABCDE1").await;
    browser.choose("#profile", "home").await;
    browser.sees("#variables label", "Number of the VLAN").await;
    browser.fill("#var-vlan", "7").await;
    browser.fill("#var-ppp_password", "short").await;
    browser.press("Claim it").await;
    browser.sees("#variables .error", "8 to").await;
    browser.fill("#var-ppp_password", "hunter2222").await;
    browser.press("Claim it").await;
    browser.sees(".note", "is claimed").await;
    // A secret stays, and is not shown.
    browser.sees("#variables", "It has one").await;
    let shown = browser.run("return document.querySelector('#var-ppp_password').value").await;
    assert_eq!(shown, "");
    browser.fill("#var-vlan", "8").await;
    browser.press("Save").await;
    browser.sees(".note", "It is saved").await;
    let claims = api.get("/api/v1/claims").await;
    let said = json!({ "vlan": 8, "ppp_password": "********" });
    assert_eq!(claims["items"][0]["variables"], said);
    // The first answer to the form was one to a mistake.
    let said = browser.complaints().await;
    let said: Vec<&String> = said.iter().filter(|line| !line.contains("422")).collect();
    assert!(said.is_empty(), "{said:?}");
    browser.close().await;
}

#[tokio::test]
async fn labels_are_scanned_one_after_the_other_and_each_is_answered() {
    let (_muster, api, browser) = begin().await;
    browser.open("/claims/scan").await;
    browser.fill("#site", "eu").await;
    // As a wedge does, which does not wait for an answer.
    for code in ["S/N: HGF09ABCDE1", "e4:8d:8c:00:00:01", "HGF09ABCDE1", "two words"] {
        browser.type_in("#code", &format!("{code}{ENTER}")).await;
    }
    browser.sees("#scanned", "Claimed by its serial number HGF09ABCDE1, for eu.").await;
    browser.sees("#scanned", "Claimed by its MAC address E4:8D:8C:00:00:01, for eu.").await;
    browser.sees("#scanned", "there is a claim for this device already").await;
    browser.sees("#scanned", "This is no serial number").await;
    let answers = "return Array.from(document.querySelectorAll('#scanned b'), b => b.textContent)";
    assert_eq!(browser.run(answers).await, json!(["No", "No", "Yes", "Yes"]), "the newest first");
    browser.sees("#claimed-count", "2 claimed").await;
    let free = "return document.activeElement.id === 'code' && document.activeElement.value === ''";
    browser.until("the field is free for the next one", free).await;
    assert_eq!(api.get("/api/v1/claims").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn rules_let_in_whom_nobody_claimed_in_the_order_that_stands_there() {
    let (muster, api, browser) = begin().await;
    browser.open("/claims/rules").await;
    browser.sees(".empty", "No rule yet").await;
    for (name, selector, site) in
        [("the rest", "manufacturer = MikroTik", "eu"), ("first", "serial ~ \"*\"", "eu.lv")]
    {
        browser.open("/claims/rules/new").await;
        browser.fill("#name", name).await;
        browser.fill("#selector", selector).await;
        browser.sees(".found", "0 of the devices that wait now").await;
        browser.fill("#site", site).await;
        browser.press("Make the rule").await;
        browser.sees("td", name).await;
    }
    browser.click("[aria-label='first: up']").await;
    browser.sees(".note", "first stands at place 1 now").await;
    let _fleet = switch_on(&muster, 1).await;
    let device = api.ready(&serial(0)).await;
    assert_eq!(device["site"], "eu.lv", "the first that fits");
    browser.click("[aria-label='first: switch off']").await;
    browser.sees(".note", "first is switched off").await;
    browser.sees("td .state", "off").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}
