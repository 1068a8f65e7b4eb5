//! Devices on their own: they appear, are read whole, and are kept up to date.

use muster_cwmp::fault::FaultCode;
use muster_cwmp::rpc::{ParameterInfo, Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::json;
use std::time::Duration;

use crate::harness::kit::{Api, Fleet, Lab, device_path};
use crate::harness::talk::Talk;
use crate::harness::{LAB, Muster, eventually};

#[tokio::test]
async fn a_fleet_of_25_enrols_and_is_read() {
    let mut muster = Muster::start(&[]).await;
    let api = Api::of(&mut muster);
    let fleet = Fleet::start(&muster, 25, |options| {
        options.periodic_interval = Duration::from_secs(3);
    })
    .await;
    for index in 0..25 {
        let identity = fleet.handle().identity(index);
        let device = api.ready(&identity.serial).await;
        assert_eq!(device["oui"], identity.oui);
        assert_eq!(device["product_class"], identity.profile().product_class);
        assert_eq!(device["model"], identity.profile().board);
        assert_eq!(device["arch"], identity.profile().arch);
        assert_eq!(device["software_version"], identity.version);
        assert_eq!((&device["root"], &device["online"]), (&json!("Device."), &json!(true)));
        let parameters = api.known(&identity.serial, "Device.").await;
        assert!((280..=520).contains(&parameters.len()), "{}", parameters.len());
        let serial = parameters.iter().find(|(name, _)| name == "Device.DeviceInfo.SerialNumber");
        assert_eq!(serial.unwrap().1, identity.serial);
    }
    eventually("each has come with a credential of its own", || async {
        let list = api.get("/api/v1/devices").await;
        let items = list["items"].as_array().unwrap();
        (items.len() == 25 && items.iter().all(|d| d["auth"] == "device")).then_some(())
    })
    .await;
    let open: i64 =
        sqlx::query_scalar("select count(*) from device_credentials where not confirmed")
            .fetch_one(&muster.pool)
            .await
            .unwrap();
    assert_eq!(open, 0, "enrolment is closed to all of them");
    assert_eq!(fleet.handle().stats().sessions_failed, 0);
}

/// A data model of 300 leaves: a table of 30 rows with 10 columns.
fn model(rows: std::ops::RangeInclusive<u32>, mark: &str) -> Vec<ParameterValue> {
    let row = |r: u32| {
        (0..10).map(move |c| (format!("Device.X_TEST.Row.{r}.Column{c}"), format!("{r}/{c}")))
    };
    let value = |(name, value): (String, String)| ParameterValue::string(name, value + mark);
    rows.flat_map(row).map(value).collect()
}

/// Answers a session as a device with this data model; gives the calls that read it.
async fn read_whole(mut talk: Talk, model: &[ParameterValue]) -> usize {
    let mut reads = 0;
    while let Some(request) = &talk.request {
        let response = match request {
            Request::SetParameterValues(_) => Response::SetParameterValues(Status::Applied),
            Request::GetRpcMethods => Response::GetRpcMethods(vec!["Reboot".to_owned()]),
            Request::GetParameterNames(call) => {
                assert_eq!((call.path.as_str(), call.next_level), ("Device.", false));
                reads += 1;
                let info =
                    |p: &ParameterValue| ParameterInfo { name: p.name.clone(), writable: true };
                Response::GetParameterNames(model.iter().map(info).collect())
            }
            Request::GetParameterValues(names) => {
                assert_eq!(names, &["Device."]);
                reads += 1;
                Response::GetParameterValues(model.to_vec())
            }
            other => panic!("{other:?}"),
        };
        talk.answer(response).await;
    }
    reads
}

#[tokio::test]
async fn a_data_model_of_300_is_read_in_three_calls_at_most() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let talk = Talk::open(muster.cwmp, "RAW1", &["0 BOOTSTRAP", "1 BOOT"]).await;
    let reads = read_whole(talk, &model(1..=30, "")).await;
    assert!((1..=3).contains(&reads), "{reads} calls");
    let device = api.ready("RAW1").await;
    assert_eq!(device["events"], json!(["0 BOOTSTRAP", "1 BOOT"]));
    assert_eq!(api.known("RAW1", "Device.X_TEST.").await.len(), 300);

    // Quiet informs ask for nothing; a boot reads again: rows have gone, come and changed.
    assert_eq!(Talk::open(muster.cwmp, "RAW1", &["2 PERIODIC"]).await.request, None);
    assert_eq!(Talk::open(muster.cwmp, "RAW1", &["4 VALUE CHANGE"]).await.request, None);
    let talk = Talk::open(muster.cwmp, "RAW1", &["1 BOOT"]).await;
    assert!((1..=3).contains(&read_whole(talk, &model(2..=31, "!")).await));
    let known = api.known("RAW1", "Device.X_TEST.").await;
    assert_eq!(known.len(), 300);
    assert!(known.iter().all(|(_, value)| value.ends_with('!')));
    assert!(api.known("RAW1", "Device.X_TEST.Row.1.").await.is_empty());
}

#[tokio::test]
async fn a_device_that_refuses_big_reads_is_read_in_small_ones() {
    let lab = Lab::with(LAB, |options| {
        options.sickness = "small-reads=100%".parse().unwrap();
    })
    .await;
    let known = lab.api.known(&lab.serial, "Device.").await;
    assert!((280..=520).contains(&known.len()), "{}", known.len());
    let path = format!("/api/v1/jobs?kind=refresh&device_id=serial:{}", lab.serial);
    let jobs = lab.api.get(&path).await;
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1);
    assert_eq!(jobs["items"][0]["result"]["skipped_count"], 0, "{jobs}");
    assert_eq!(jobs["items"][0]["attempts"], 1);
}

#[tokio::test]
async fn a_branch_that_cannot_be_read_does_not_hide_the_rest() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let all = model(1..=3, "");
    let mut talk = Talk::open(muster.cwmp, "RAW2", &["2 PERIODIC"]).await;
    while let Some(request) = talk.request.clone() {
        match request {
            Request::SetParameterValues(_) => {
                talk.answer(Response::SetParameterValues(Status::Applied)).await;
            }
            Request::GetRpcMethods => talk.fault(FaultCode::METHOD_NOT_SUPPORTED.0).await,
            Request::GetParameterNames(call) => {
                let info = |p: ParameterValue| ParameterInfo { name: p.name, writable: false };
                let list = below(&all, &call.path).into_iter().map(info).collect();
                talk.answer(Response::GetParameterNames(list)).await;
            }
            // Whatever holds row 2 breaks the device's reader.
            Request::GetParameterValues(names) if names.iter().any(|n| breaks(n)) => {
                talk.fault(9002).await;
            }
            Request::GetParameterValues(names) => {
                let list = names.iter().flat_map(|n| below(&all, n)).collect();
                talk.answer(Response::GetParameterValues(list)).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(api.known("RAW2", "Device.X_TEST.Row.1.").await.len(), 10);
    assert_eq!(api.known("RAW2", "Device.X_TEST.Row.2.").await.len(), 0);
    assert_eq!(api.known("RAW2", "Device.X_TEST.Row.3.").await.len(), 10);
    let jobs = api.get("/api/v1/jobs?kind=refresh&device_id=serial:RAW2").await;
    assert_eq!(jobs["items"][0]["result"]["skipped_count"], 10, "{jobs}");
}

fn below(model: &[ParameterValue], path: &str) -> Vec<ParameterValue> {
    model.iter().filter(|p| p.name.starts_with(path)).cloned().collect()
}

fn breaks(name: &str) -> bool {
    let row = "Device.X_TEST.Row.2.";
    row.starts_with(name) || name.starts_with(row)
}

#[tokio::test]
async fn a_change_on_the_device_is_stored() {
    let lab = Lab::start().await;
    let code = "Device.DeviceInfo.ProvisioningCode";
    lab.fleet.handle().change(0, code, "tower 7");
    eventually("the change is stored", || async {
        (lab.device().await["provisioning_code"] == "tower 7").then_some(())
    })
    .await;
    assert_eq!(lab.api.known(&lab.serial, code).await[0].1, "tower 7");
    let events = lab.api.events(&lab.serial).await;
    assert!(events.contains(&"value_change".to_owned()), "{events:?}");
    assert!(events.contains(&"first_contact".to_owned()), "{events:?}");
}

#[tokio::test]
async fn a_removed_device_is_gone_and_would_have_to_enrol() {
    let lab = Lab::with(&[], |_| {}).await;
    lab.run(json!({ "kind": "connection_request" })).await;
    let (status, _) = lab.api.call("DELETE", &device_path(&lab.serial), None).await;
    assert_eq!(status, 204);
    assert_eq!(lab.api.found(&device_path(&lab.serial)).await, None);
    for table in ["devices", "jobs", "events", "device_credentials", "device_parameters"] {
        let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&lab.muster.pool).await.unwrap();
        assert_eq!(count, 0, "{table}");
    }
    // Its credential went with it, and it has forgotten the one for enrolment.
    lab.fleet.handle().change(0, "Device.DeviceInfo.ProvisioningCode", "hello");
    eventually("its session is refused", || async {
        (lab.fleet.handle().stats().sessions_failed > 0).then_some(())
    })
    .await;
    assert_eq!(lab.api.found(&device_path(&lab.serial)).await, None);
}
