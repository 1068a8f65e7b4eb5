//! Reading and writing a device's parameters, objects and attributes.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::kit::{Lab, device_path};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const SERVERS: &str = "Device.DNS.Client.Server.";

fn set(parameters: &[(&str, &str)]) -> Value {
    let list: Vec<Value> =
        parameters.iter().map(|(n, v)| json!({ "name": n, "value": v })).collect();
    json!({ "kind": "set", "parameters": list })
}

#[tokio::test]
async fn get_reads_names_and_whole_branches() {
    let lab = Lab::start().await;
    let names = json!([CODE, "Device.ManagementServer."]);
    let job = lab.run(json!({ "kind": "get", "names": names })).await;
    let found = job["result"]["parameters"].as_array().unwrap();
    let of = |name: &str| found.iter().find(|p| p["name"] == name).unwrap_or(&Value::Null);
    assert_eq!(of(CODE)["value"], "");
    assert_eq!(of("Device.ManagementServer.AliasBasedAddressing")["type"], "boolean");
    assert_eq!(of("Device.ManagementServer.Password")["value"], "********");
    assert!(found.len() > 9, "{job}");

    let job = lab.refused(json!({ "kind": "get", "names": ["Device.Nothing"] })).await;
    assert_eq!((&job["fault"]["code"], &job["attempts"]), (&json!(9005), &json!(1)));
}

#[tokio::test]
async fn set_writes_in_the_types_of_the_device() {
    let lab = Lab::start().await;
    let enable = "Device.Ethernet.Interface.1.Enable";
    let job = lab.run(set(&[(INTERVAL, "777"), (CODE, "gold"), (enable, "0")])).await;
    assert_eq!(job["result"]["status"], "applied", "{job}");
    assert_eq!(job["created_by"], "test");
    for (name, value) in [(INTERVAL, "777"), (CODE, "gold"), (enable, "0")] {
        let known = lab.api.known(&lab.serial, name).await;
        assert_eq!(known, vec![(name.to_owned(), value.to_owned())]);
        assert_eq!(lab.value(name).await, value);
    }
    let key = lab.value("Device.ManagementServer.ParameterKey").await;
    assert_eq!(key, job["job_id"].as_str().unwrap().replace('-', ""));

    let bad = json!({ "name": CODE, "value": "5", "type": "unsignedInt" });
    let job = lab.refused(json!({ "kind": "set", "parameters": [bad] })).await;
    assert_eq!(job["fault"]["parameters"][0]["code"], 9006, "{job}");
}

#[tokio::test]
async fn a_set_with_bad_names_says_which_and_changes_nothing() {
    let lab = Lab::start().await;
    let version = "Device.DeviceInfo.SoftwareVersion";
    let job =
        lab.refused(set(&[(CODE, "silver"), ("Device.Nope.Name", "x"), (version, "9")])).await;
    assert_eq!(job["fault"]["code"], 9003);
    let faults = job["fault"]["parameters"].as_array().unwrap();
    let faults: Vec<_> = faults.iter().map(|f| (f["name"].as_str(), f["code"].as_u64())).collect();
    assert_eq!(faults, [(Some("Device.Nope.Name"), Some(9005)), (Some(version), Some(9008))]);
    assert_eq!(job["attempts"], 1, "the same request would fail the same way");
    assert_eq!(lab.value(CODE).await, "");
    assert_eq!(lab.api.known(&lab.serial, CODE).await[0].1, "");
}

#[tokio::test]
async fn objects_are_added_filled_and_deleted() {
    let lab = Lab::start().await;
    let parameters = json!([
        { "name": "DNSServer", "value": "9.9.9.9" },
        { "name": "Enable", "value": "1", "type": "boolean" },
    ]);
    let add = json!({ "kind": "add_object", "object": SERVERS, "parameters": parameters });
    let job = lab.run(add).await;
    let instance = job["result"]["instance"].as_u64().unwrap();
    let row = format!("{SERVERS}{instance}.");
    assert_eq!(lab.value(&format!("{row}DNSServer")).await, "9.9.9.9");
    assert_eq!(lab.value(&format!("{row}Enable")).await, "1");
    assert_eq!(lab.api.known(&lab.serial, &format!("{row}DNSServer")).await.len(), 1);

    lab.run(json!({ "kind": "delete_object", "object": row })).await;
    assert!(lab.api.known(&lab.serial, &row).await.is_empty());
    let job = lab.refused(json!({ "kind": "get", "names": [row] })).await;
    assert_eq!(job["fault"]["code"], 9005);

    let bad = json!([{ "name": "NoSuchThing", "value": "1" }]);
    let add = json!({ "kind": "add_object", "object": SERVERS, "parameters": bad });
    let job = lab.refused(add).await;
    let left = format!("{SERVERS}{}.", instance + 1);
    assert!(job["fault"]["text"].as_str().unwrap().contains(&left), "{job}");
}

#[tokio::test]
async fn attributes_decide_what_the_device_reports() {
    let lab = Lab::start().await;
    let attributes = json!([{ "name": IDENTITY, "notification": 2, "access_list": [] }]);
    lab.run(json!({ "kind": "set_attributes", "attributes": attributes })).await;
    let job = lab.run(json!({ "kind": "get_attributes", "names": [IDENTITY, CODE] })).await;
    let notifications: Vec<_> = job["result"]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["name"].as_str(), a["notification"].as_u64()))
        .collect();
    assert_eq!(notifications, [(Some(IDENTITY), Some(2)), (Some(CODE), Some(2))]);

    lab.fleet.handle().change(0, IDENTITY, "by hand");
    eventually("the change is reported and stored", || async {
        let known = lab.api.known(&lab.serial, IDENTITY).await;
        known.iter().any(|(_, value)| value == "by hand").then_some(())
    })
    .await;
    assert_eq!(lab.device().await["identity"], "by hand");
    assert!(lab.api.events(&lab.serial).await.contains(&"value_change".to_owned()));

    let denied = json!([{ "name": "Device.DeviceInfo.UpTime", "notification": 2 }]);
    let job = lab.refused(json!({ "kind": "set_attributes", "attributes": denied })).await;
    assert_eq!(job["fault"]["code"], 9009);
}

#[tokio::test]
async fn refresh_finds_what_changed_unseen() {
    let lab = Lab::start().await;
    let before = lab.device().await["refreshed_at"].clone();
    lab.fleet.handle().change(0, IDENTITY, "unseen");
    let job = lab.run(json!({ "kind": "refresh", "path": "Device.DeviceInfo." })).await;
    assert_eq!(job["result"]["skipped_count"], 0);
    assert!(job["result"]["parameters"].as_u64().unwrap() > 10, "{job}");
    assert_eq!(lab.api.known(&lab.serial, IDENTITY).await[0].1, "unseen");
    assert_eq!(lab.device().await["refreshed_at"], before, "only a part was read");

    lab.run(json!({ "kind": "refresh" })).await;
    assert_ne!(lab.device().await["refreshed_at"], before);
}

#[tokio::test]
async fn methods_are_asked_and_kept() {
    let lab = Lab::start().await;
    let job = lab.run(json!({ "kind": "methods" })).await;
    let methods = job["result"]["methods"].as_array().unwrap();
    assert!(methods.contains(&json!("Download")), "{job}");
    assert_eq!(lab.api.get(&device_path(&lab.serial)).await["methods"], job["result"]["methods"]);
}
