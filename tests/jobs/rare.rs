//! The calls that RouterOS lacks and other CPEs have: queued transfers, scheduled downloads,
//! software modules.

use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{
    AllQueuedTransfer, DuOperation, DuStateChangeComplete, OpResult, Request, Response,
};
use muster_cwmp::value::Timestamp;
use serde_json::json;

use crate::harness::kit::raw_device;
use crate::harness::talk::{Talk, begun, key_of, transferred};

#[tokio::test]
async fn queued_transfers_are_listed_and_cancelled() {
    let (muster, api) = raw_device("RARE1").await;
    let upload = json!({ "kind": "upload", "file": { "type": "log_instance", "instance": 3 } });
    let upload = api.queue("RARE1", upload).await;
    let mut talk = Talk::open(muster.cwmp, "RARE1", &["2 PERIODIC"]).await;
    let Request::Upload(call) = talk.asked() else { panic!("{:?}", talk.request) };
    assert_eq!(
        (call.file_type.as_str(), call.command_key.clone()),
        ("4 Vendor Log File 3", key_of(&upload))
    );
    talk.answer(Response::Upload(begun())).await;
    assert_eq!(talk.request, None);
    let cancel = format!("/api/v1/jobs/{upload}/cancel");
    assert_eq!(api.call("POST", &cancel, None).await.0, 200);

    let list = api.queue("RARE1", json!({ "kind": "queued_transfers" })).await;
    let cancel = api.queue("RARE1", json!({ "kind": "cancel_transfer", "job_id": upload })).await;
    let mut talk = Talk::open(muster.cwmp, "RARE1", &["2 PERIODIC"]).await;
    assert_eq!(talk.asked(), &Request::GetAllQueuedTransfers);
    let transfer = AllQueuedTransfer {
        command_key: key_of(&upload),
        state: 1,
        is_download: false,
        file_type: "4 Vendor Log File 3".to_owned(),
        file_size: 0,
        target_file_name: String::new(),
    };
    talk.answer(Response::GetAllQueuedTransfers(vec![transfer])).await;
    assert_eq!(talk.asked(), &Request::CancelTransfer(key_of(&upload)));
    talk.answer(Response::CancelTransfer).await;
    assert_eq!(talk.request, None);
    let result = api.done(&list).await["result"].clone();
    assert_eq!(result["transfers"][0]["command_key"], key_of(&upload), "{result}");
    api.done(&cancel).await;
}

#[tokio::test]
async fn a_scheduled_download_is_closed_by_its_report() {
    let (muster, api) = raw_device("RARE2").await;
    let artifact = api.store("image.bin", b"image").await;
    let job = json!({
        "kind": "schedule_download",
        "download": { "artifact_id": artifact, "file": { "type": "firmware" } },
        "windows": [{
            "start": 60, "end": 3600, "mode": "3 When Idle", "user_message": "", "max_retries": 2,
        }],
    });
    let id = api.queue("RARE2", job).await;
    let mut talk = Talk::open(muster.cwmp, "RARE2", &["2 PERIODIC"]).await;
    let Request::ScheduleDownload(call) = talk.asked() else { panic!("{:?}", talk.request) };
    assert_eq!(call.command_key, key_of(&id));
    assert_eq!((call.file_type.as_str(), call.file_size), ("1 Firmware Upgrade Image", 5));
    let window = &call.time_windows[0];
    assert_eq!((window.start, window.end, window.max_retries), (60, 3600, 2));
    assert_eq!(window.mode, "3 When Idle");
    talk.answer(Response::ScheduleDownload).await;
    assert_eq!(api.job(&id).await["state"], "waiting");

    let events = ["7 TRANSFER COMPLETE", &format!("M ScheduleDownload|{}", key_of(&id))];
    let report = vec![transferred(&key_of(&id), 0)];
    Talk::reporting(muster.cwmp, "RARE2", &events, report).await;
    api.done(&id).await;
}

fn result(code: u32) -> OpResult {
    OpResult {
        uuid: "12345678-1234-1234-1234-123456789abc".to_owned(),
        deployment_unit_ref: "Device.SoftwareModules.DeploymentUnit.1.".to_owned(),
        version: "1.0".to_owned(),
        current_state: if code == 0 { "Installed" } else { "Failed" }.to_owned(),
        resolved: true,
        execution_unit_ref_list: String::new(),
        start_time: Timestamp::unknown(),
        complete_time: Timestamp::unknown(),
        fault: (code != 0).then(|| Fault::new(FaultCode(code), "no room")),
        operation_performed: String::new(),
    }
}

#[tokio::test]
async fn software_modules_are_changed_and_their_results_kept() {
    let (muster, api) = raw_device("RARE3").await;
    for (code, state) in [(0, "done"), (9027, "queued"), (9028, "failed")] {
        let operation = json!({
            "operation": "install", "url": "http://files.example/x", "username": "u",
            "password": "hunter2",
        });
        let job = json!({ "kind": "change_du_state", "operations": [operation] });
        let id = api.queue("RARE3", job).await;
        assert_eq!(api.job(&id).await["args"]["operations"][0]["password"], "********");
        let mut talk = Talk::open(muster.cwmp, "RARE3", &["2 PERIODIC"]).await;
        let Request::ChangeDuState(call) = talk.asked() else { panic!("{:?}", talk.request) };
        let DuOperation::Install { url, password, .. } = &call.operations[0] else { panic!() };
        assert_eq!(
            (url.as_str(), password.as_deref()),
            ("http://files.example/x", Some("hunter2"))
        );
        talk.answer(Response::ChangeDuState).await;
        assert_eq!(api.job(&id).await["state"], "waiting");

        let report = Request::DuStateChangeComplete(DuStateChangeComplete {
            results: vec![result(code)],
            command_key: key_of(&id),
        });
        let events = ["11 DU STATE CHANGE COMPLETE", &format!("M ChangeDUState|{}", key_of(&id))];
        Talk::reporting(muster.cwmp, "RARE3", &events, vec![report]).await;
        let job = api.job_in(&id, &["done", "queued", "failed"]).await;
        assert_eq!(job["state"], state, "{job}");
        let cancel = format!("/api/v1/jobs/{id}/cancel");
        api.call("POST", &cancel, None).await;
    }
}
