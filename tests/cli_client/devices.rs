//! Devices: listed, set and waited for, changed many at once, and removed with care.

use serde_json::json;

use super::fleet;
use crate::harness::cli::run;
use crate::harness::kit::Lab;

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

#[tokio::test]
async fn devices_are_listed_by_a_selector() {
    let mut m = fleet(&["C1", "C2", "C3"]).await;
    let columns = "--columns=serial,software_version,online";
    let old = run(&mut m, &["devices", "list", "-q", "version < 7.0", columns], 0).await;
    assert_eq!(old.cells(), [["serial", "software_version", "online"], ["C1", "6.49.10", "yes"]]);
    assert!(!old.out.contains('\t'), "{}", old.out);
    let usual = run(&mut m, &["devices", "list"], 0).await;
    assert_eq!(usual.cells().len(), 4, "{}", usual.out);

    let page = run(&mut m, &["devices", "list", "--limit", "2", "--json"], 0).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert!(page["next"].is_string(), "{page}");
    let all = run(&mut m, &["devices", "list", "--all", "--json"], 0).await.lines();
    let mut serials: Vec<&str> = all.iter().map(|d| d["serial"].as_str().unwrap()).collect();
    serials.sort_unstable();
    assert_eq!(serials, ["C1", "C2", "C3"]);
    let some = run(&mut m, &["devices", "list", "--limit", "2"], 0).await;
    assert!(some.err.contains("more follow"), "{}", some.err);

    let wrong = run(&mut m, &["devices", "list", "-q", "modle ~ \"h*\""], 1).await;
    assert!(wrong.out.is_empty(), "{}", wrong.out);
    assert!(wrong.err.starts_with("muster: there is no field `modle`\n"), "{}", wrong.err);
    assert!(wrong.err.trim_end().ends_with("did you mean `model`? (/q)"), "{}", wrong.err);
    let one = run(&mut m, &["devices", "get", "C2"], 0).await;
    assert!(one.cells().contains(&vec!["serial", "C2"]), "{}", one.out);
    let none = run(&mut m, &["devices", "get", "C9"], 1).await;
    assert_eq!(none.err, "muster: no device serial:C9\n");
}

#[tokio::test]
async fn a_parameter_is_set_and_its_job_waited_for() {
    let mut lab = Lab::start().await;
    let serial = lab.serial.clone();
    let assignment = format!("{CODE}=riga 7=x");
    let set = ["devices", "set", &serial, &assignment, "--wait"];
    let done = run(&mut lab.muster, &set, 0).await;
    assert!(done.cells().contains(&vec!["state", "done"]), "{}", done.out);
    assert!(done.out.contains("\nresult\n"), "{}", done.out);
    assert_eq!(lab.value(CODE).await, "riga 7=x");
    let search = ["devices", "parameters", &serial, "--search", "RIGA 7", "--json"];
    let found = run(&mut lab.muster, &search, 0).await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["items"][0]["name"], CODE);

    let set = ["devices", "set", &serial, "Device.Nope.Name=1", "--wait"];
    let failed = run(&mut lab.muster, &set, 1).await;
    assert!(failed.cells().contains(&vec!["state", "failed"]), "{}", failed.out);
    assert!(failed.err.starts_with("muster: the job ") && failed.err.contains(" is failed: "));

    let reboot = ["devices", "reboot", &serial, "--wait", "--json"];
    let job = run(&mut lab.muster, &reboot, 0).await.json();
    assert_eq!((&job["kind"], &job["state"]), (&json!("reboot"), &json!("done")));
    let id = job["job_id"].as_str().unwrap();
    assert_eq!(run(&mut lab.muster, &["jobs", "get", id, "--json"], 0).await.json(), job);
    let mine = ["jobs", "list", "--device", &serial, "--state", "failed", "--all", "--json"];
    let jobs = run(&mut lab.muster, &mine, 0).await.lines();
    assert_eq!((jobs.len(), &jobs[0]["kind"]), (1, &json!("set")));
    let events = run(&mut lab.muster, &["devices", "events", &serial], 0).await;
    assert!(events.out.contains("job.done") && events.out.contains("job.failed"), "{}", events.out);
}

#[tokio::test]
async fn many_devices_are_changed_by_one_command() {
    let mut m = fleet(&["C1", "C2", "C3"]).await;
    run(&mut m, &["sites", "create", "eu"], 0).await;
    run(&mut m, &["groups", "create", "first wave"], 0).await;
    let tag = ["devices", "tag", "pilot", "new", "-q", "version >= 7"];
    let with = |more: &[&'static str]| [tag.as_slice(), more].concat();
    let asked = run(&mut m, &tag, 1).await;
    assert!(asked.err.contains("2 devices match: --expected 2"), "{}", asked.err);
    let wrong = run(&mut m, &with(&["--expected", "3"]), 1).await;
    assert!(wrong.err.contains("2 devices match, not 3"), "{}", wrong.err);
    let done = run(&mut m, &with(&["--expected", "2"]), 0).await;
    assert_eq!(done.out, "2 devices changed, 0 were so already, 0 skipped\n");

    let pilots = ["--where", "tag = pilot", "--yes"];
    let of_pilots = |words: &[&'static str]| [words, &pilots].concat();
    for words in [
        &["devices", "untag", "new"][..],
        &["devices", "move", "eu"],
        &["devices", "group-add", "first wave"],
    ] {
        let done = run(&mut m, &of_pilots(words), 0).await;
        assert!(done.out.starts_with("2 devices changed"), "{words:?}: {}", done.out);
    }
    let found = "site = eu and not tag = new and group = \"first wave\"";
    let found = run(&mut m, &["devices", "list", "-q", found, "--json"], 0).await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 2, "{found}");
    let out = ["devices", "group-remove", "first wave"];
    for words in [&["devices", "move", "--no-site"][..], &out] {
        let done = run(&mut m, &of_pilots(&[words, &["--json"]].concat()), 0).await.json();
        assert_eq!(done["changed"], 2, "{words:?}");
    }
    let none = run(&mut m, &["devices", "list", "-q", "site = eu", "--json"], 0).await.json();
    assert_eq!(none["items"], json!([]));
    let nowhere = run(&mut m, &of_pilots(&["devices", "move", "gone"]), 1).await;
    assert!(nowhere.err.contains("there is no site gone"), "{}", nowhere.err);

    let made = run(&mut m, &of_pilots(&["jobs", "bulk", "--ping", "192.0.2.1"]), 0).await;
    assert_eq!(made.out, "on 2 devices, 0 skipped\n");
    let jobs = run(&mut m, &["jobs", "list", "--kind", "diagnose", "--json"], 0).await.json();
    assert_eq!(jobs["items"][0]["args"]["test"]["host"], "192.0.2.1");
}

#[tokio::test]
async fn what_cannot_be_taken_back_wants_the_serial_number_twice() {
    let mut m = fleet(&["C1", "C2"]).await;
    for command in ["factory-reset", "delete"] {
        let wrong = run(&mut m, &["devices", command, "C1", "--confirm", "C2"], 1).await;
        assert!(wrong.err.contains("its serial number is C1, not C2"), "{}", wrong.err);
    }
    let jobs = run(&mut m, &["jobs", "list", "--kind", "factory_reset", "--json"], 0).await.json();
    assert_eq!(jobs["items"], json!([]));
    let reset = ["devices", "factory-reset", "C1", "--confirm", "C1", "--json"];
    assert_eq!(run(&mut m, &reset, 0).await.json()["kind"], "factory_reset");
    let removed = run(&mut m, &["devices", "delete", "C1", "--confirm", "C1"], 0).await;
    assert_eq!(removed.out, "C1 is removed\n");
    run(&mut m, &["devices", "get", "C1"], 1).await;
}
