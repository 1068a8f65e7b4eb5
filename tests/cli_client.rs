//! The command line over the REST API: the real program against the real server.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::cpe::{Cpe, inform, inform_with};
use crate::harness::kit::Lab;
use crate::harness::session::Session;
use crate::harness::{LAB, Muster};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// What a command wrote.
struct Said {
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// One value per line.
    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The cells of each line.
    fn cells(&self) -> Vec<Vec<&str>> {
        self.out.lines().map(|line| line.split_whitespace().collect()).collect()
    }
}

/// Runs a command as an admin; it must end with this code. Not blocking: simulated devices live on
/// the test's own thread.
async fn run(muster: &mut Muster, args: &[&str], code: i32) -> Said {
    let token = muster.token();
    run_with(muster, &[("MUSTER_TOKEN", token.as_str())], args, code).await
}

async fn run_with(muster: &Muster, env: &[(&str, &str)], args: &[&str], code: i32) -> Said {
    let output = Command::from(muster.command())
        .args(args)
        .env("MUSTER_SERVER", format!("http://{}", muster.web))
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "muster {args:?}\n{out}\n{err}");
    Said { out, err }
}

async fn meet(muster: &Muster, message: &str) {
    let reply = Cpe::connect(muster.cwmp).await.post(message).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// A server that knows devices with these serials, the first of them with an old version.
async fn fleet(serials: &[&str]) -> Muster {
    let muster = Muster::start(LAB).await;
    for (n, serial) in serials.iter().enumerate() {
        let version = if n == 0 { "6.49.10" } else { "7.16.1" };
        let version = ("Device.DeviceInfo.SoftwareVersion", version);
        meet(&muster, &inform_with(serial, &["2 PERIODIC"], &[version])).await;
    }
    muster
}

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
async fn a_job_nobody_comes_for_is_not_waited_for_without_end() {
    let mut m = fleet(&["C1"]).await;
    let wake = ["devices", "refresh", "C1", "--wait", "--deadline", "1"];
    let given_up = run(&mut m, &wake, 1).await;
    assert!(given_up.err.contains("after 1 seconds the job"), "{}", given_up.err);
    let job = run(&mut m, &["devices", "wake", "C1", "--json"], 0).await.json();
    let id = job["job_id"].as_str().unwrap();
    let cancelled = run(&mut m, &["jobs", "cancel", id, "--json"], 0).await.json();
    assert_eq!(cancelled["state"], "cancelled");
    run(&mut m, &["jobs", "cancel", id], 1).await;
}

#[tokio::test]
async fn a_bulk_job_reaches_as_many_as_were_seen() {
    let mut m = fleet(&["C1", "C2", "C3"]).await;
    for serial in ["C1", "C2"] {
        let place = ["devices", "place", serial, "--tag", "+pilot", "--tag", "+x", "--tag", "-x"];
        let tagged = run(&mut m, &place, 0).await;
        assert!(tagged.cells().contains(&vec!["tags", "pilot"]), "{}", tagged.out);
    }
    let file = m.data_dir().join("job.json");
    std::fs::write(&file, r#"{"kind":"get","names":["Device."],"wake":false}"#).unwrap();
    let bulk = ["jobs", "bulk", "-q", "tag = pilot", "--file", file.to_str().unwrap()];
    let with = |more: &[&'static str]| [bulk.as_slice(), more].concat();

    let asked = run(&mut m, &bulk, 1).await;
    assert!(asked.err.contains("2 devices match: --expected 2"), "{}", asked.err);
    let wrong = run(&mut m, &with(&["--expected", "3"]), 1).await;
    assert!(wrong.err.contains("2 devices match, not 3"), "{}", wrong.err);
    let none = run(&mut m, &["jobs", "list", "--kind", "get", "--json"], 0).await.json();
    assert_eq!(none["items"], json!([]), "nothing was done");
    let done = run(&mut m, &with(&["--expected", "2"]), 0).await;
    assert_eq!(done.out, "on 2 devices, 0 skipped\n");
    let again = run(&mut m, &with(&["--yes", "--json"]), 0).await.json();
    assert_eq!(again["created"], 2);
    let jobs = run(&mut m, &["jobs", "list", "--kind", "get", "--all", "--json"], 0).await.lines();
    assert_eq!(jobs.len(), 4);
    let nobody = ["jobs", "bulk", "-q", "tag = y", "--file", file.to_str().unwrap(), "--yes"];
    assert!(run(&mut m, &nobody, 1).await.err.contains("no device matches"));
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
async fn a_hostile_device_does_not_steer_the_terminal() {
    let serial = "EVIL\u{9b}31m\u{202e}x";
    let mut m = Muster::start(LAB).await;
    meet(&m, &inform(serial, &["1 BOOT"])).await;
    let steers =
        |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    for args in [
        &["devices", "list"][..],
        &["devices", "get", serial],
        &["devices", "list", "--json"],
        &["devices", "list", "--all", "--json"],
        &["devices", "events", serial],
    ] {
        let said = run(&mut m, args, 0).await;
        assert!(!steers(&said.out) && !steers(&said.err), "{args:?}: {:?}", said.out);
    }
    let table = run(&mut m, &["devices", "list", "--columns", "serial"], 0).await;
    assert_eq!(table.out, "serial\nEVIL\u{fffd}31m\u{fffd}x\n");
    let json = run(&mut m, &["devices", "list", "--json"], 0).await.json();
    assert_eq!(json["items"][0]["serial"], serial, "it is the same, written otherwise");
    let unknown = run(&mut m, &["devices", "get", "no\u{9b}2J"], 1).await;
    assert!(!steers(&unknown.err), "{:?}", unknown.err);
}

#[tokio::test]
async fn who_is_not_let_in_is_told_how_to_get_in() {
    let mut m = Muster::start(LAB).await;
    let unknown = "mst_00000000000000000000000000000000_hunter2";
    for env in [&[("MUSTER_TOKEN", unknown)][..], &[("MUSTER_TOKEN", "")], &[]] {
        let refused = run_with(&m, env, &["devices", "list"], 1).await;
        assert!(refused.out.is_empty() && refused.err.starts_with("muster: "), "{}", refused.err);
        assert!(refused.err.contains("muster token create"), "{}", refused.err);
        assert!(!refused.err.contains("hunter2"), "{}", refused.err);
    }
    let file = m.data_dir().join("token");
    std::fs::write(&file, format!("{}\n", m.token())).unwrap();
    let by_file = ["system", "--token-file", file.to_str().unwrap()];
    let system = run_with(&m, &[("MUSTER_TOKEN", unknown)], &by_file, 0).await;
    assert!(system.cells().contains(&vec!["devices", "0"]), "{}", system.out);

    let nowhere = ["system", "--server", "http://127.0.0.1:1"];
    let away = run_with(&m, &[], &nowhere, 1).await;
    assert!(away.err.starts_with("muster: no answer from http://127.0.0.1:1/"), "{}", away.err);
    // Where there is a server, but not Muster's API.
    let metrics = format!("http://{}", m.metrics);
    let other = run_with(&m, &[], &["system", "--server", &metrics], 1).await;
    assert!(other.err.starts_with("muster: the server answers"), "{}", other.err);
    run_with(&m, &[], &["devices"], 2).await;
    run_with(&m, &[], &["devices", "list", "--columns", "shoe_size"], 2).await;
    // What the client reads is no misspelt key of the server's configuration.
    run_with(&m, &[], &["enrolment"], 0).await;
}

#[tokio::test]
async fn sites_and_groups_are_named_as_people_name_them() {
    let mut m = fleet(&["C1", "C2"]).await;
    for args in [
        &["sites", "create", "eu", "--name", "Europe"][..],
        &["sites", "create", "eu.lv", "--time-zone", "Europe/Riga", "--var", "vlan=20"],
        &["sites", "create", "eu.lv.riga"],
        &["devices", "place", "C1", "--site", "eu.lv.riga"],
        &["groups", "create", "first wave"],
        &["groups", "create", "under eu", "-q", "site under eu"],
        &["groups", "add", "first wave", "C1", "C2"],
        &["groups", "remove", "first wave", "C1"],
    ] {
        run(&mut m, args, 0).await;
    }
    let tree = run(&mut m, &["sites", "list"], 0).await;
    let lines: Vec<&str> = tree.out.lines().skip(1).collect();
    for (line, start) in lines.iter().zip(["eu ", "  lv ", "    riga "]) {
        assert!(line.starts_with(start), "{}", tree.out);
    }
    for (group, serial) in [("first wave", "C2"), ("under eu", "C1")] {
        let members = run(&mut m, &["groups", "devices", group, "--columns", "serial"], 0).await;
        assert_eq!(members.out, format!("serial\n{serial}\n"), "{group}");
    }
    let moved = run(&mut m, &["sites", "change", "eu.lv", "--to", "lv", "--json"], 0).await.json();
    assert_eq!((&moved["path"], &moved["variables"]["vlan"]), (&json!("lv"), &json!(20)));
    run(&mut m, &["sites", "delete", "lv"], 1).await;
    run(&mut m, &["sites", "delete", "lv", "--move-to", "eu"], 0).await;
    let gone = run(&mut m, &["sites", "change", "lv", "--name", "x"], 1).await;
    assert_eq!(gone.err, "muster: no site lv\n");
    assert!(run(&mut m, &["groups", "list"], 0).await.out.contains("site under eu"));
    run(&mut m, &["groups", "delete", "first wave"], 0).await;
    let gone = run(&mut m, &["groups", "add", "first wave", "C1"], 1).await;
    assert_eq!(gone.err, "muster: no group first wave\n");
}

#[tokio::test]
async fn files_are_stored_and_fetched_whole() {
    let mut m = Muster::start(LAB).await;
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let (source, copy) = (m.data_dir().join("a.rsc"), m.data_dir().join("copy"));
    std::fs::write(&source, &bytes).unwrap();
    let put = ["files", "put", source.to_str().unwrap(), "--type", "text/plain", "--json"];
    let stored = run(&mut m, &put, 0).await.json();
    assert_eq!(stored["name"], "a.rsc");
    assert_eq!(stored["content_type"], "text/plain");
    assert_eq!(stored["size"], bytes.len());
    let id = stored["artifact_id"].as_str().unwrap();
    assert!(run(&mut m, &["files", "list"], 0).await.out.contains(id));
    run(&mut m, &["files", "get", id, "-o", copy.to_str().unwrap()], 0).await;
    assert!(std::fs::read(&copy).unwrap() == bytes, "the copy differs");
    let text = ["files", "put", source.to_str().unwrap(), "--name", "../x"];
    run(&mut m, &text, 1).await;
    run(&mut m, &["files", "delete", id], 0).await;
    run(&mut m, &["files", "get", id, "-o", copy.to_str().unwrap()], 1).await;
    assert!(std::fs::read(&copy).unwrap() == bytes, "a failure leaves what is there alone");
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

#[tokio::test]
async fn people_and_tokens_are_kept_and_the_log_tells_of_it() {
    let mut m = Muster::start(LAB).await;
    run(&mut m, &["sites", "create", "eu"], 0).await;
    let roles = run(&mut m, &["roles", "list"], 0).await;
    assert!(roles.cells().iter().any(|row| row.starts_with(&["viewer", "read"])), "{}", roles.out);
    let made = run(&mut m, &["users", "create", "ann", "--grant", "operator@eu"], 0).await;
    let password = made.err.trim().strip_prefix("password ").unwrap();
    assert!(password.len() >= 20 && !made.out.contains(password), "{}", made.err);
    let ann = |said: &Said| said.cells().into_iter().find(|row| row[0] == "ann").unwrap().join(" ");
    run(&mut m, &["users", "grant", "ANN", "viewer"], 0).await;
    let users = run(&mut m, &["users", "list"], 0).await;
    assert_eq!(ann(&users), "ann - operator@eu, viewer no -");
    run(&mut m, &["users", "grant", "ann", "support", "--only"], 0).await;
    run(&mut m, &["users", "disable", "ann"], 0).await;
    let users = run(&mut m, &["users", "list"], 0).await;
    assert_eq!(ann(&users), "ann - support yes -");
    run(&mut m, &["users", "enable", "ann"], 0).await;
    let ended = run(&mut m, &["users", "revoke-sessions", "ann"], 0).await;
    assert_eq!(ended.out, "0 sessions of ann are ended\n");
    let wrong = run(&mut m, &["users", "grant", "ann", "king"], 1).await;
    assert!(wrong.err.starts_with("muster: no role king"), "{}", wrong.err);

    let file = m.data_dir().join("policy.json");
    let policy = file.to_str().unwrap();
    std::fs::write(&file, r#"{"wifi_names":["Home*"],"min_wifi_password":12}"#).unwrap();
    let create = ["roles", "create", "first line", "--right", "support", "--support", policy];
    run(&mut m, &create, 0).await;
    let role = run(&mut m, &["roles", "get", "first line"], 0).await;
    assert!(role.out.contains("\"Home*\""), "{}", role.out);
    std::fs::write(&file, r#"{"min_wifi_password":64}"#).unwrap();
    let change = ["roles", "change", "first line", "--support", policy];
    let wrong = run(&mut m, &change, 1).await;
    assert!(wrong.err.contains("8 to 63 characters"), "{}", wrong.err);
    std::fs::write(&file, "null").unwrap();
    run(&mut m, &change, 0).await;
    let role = run(&mut m, &["roles", "get", "first line", "--json"], 0).await.json();
    assert_eq!(role["support"], json!(null));

    let create = ["tokens", "create", "--name", "billing", "--scope", "read", "--site", "eu"];
    let create = [&create[..], &["--days", "7", "--json"]].concat();
    let token = run(&mut m, &create, 0).await.json();
    let (id, secret) = (token["token_id"].as_str().unwrap(), token["token"].as_str().unwrap());
    let env = [("MUSTER_TOKEN", secret)];
    run_with(&m, &env, &["devices", "list"], 0).await;
    let denied = run_with(&m, &env, &["sites", "create", "eu.lv"], 1).await;
    assert!(denied.err.contains("operate"), "{}", denied.err);
    assert!(run(&mut m, &["tokens", "list"], 0).await.out.contains("billing"));
    run(&mut m, &["tokens", "revoke", id], 0).await;
    run_with(&m, &env, &["devices", "list"], 1).await;

    let log = run(&mut m, &["audit", "export"], 0).await.lines();
    let of_ann = |entry: &&Value| entry["object_name"] == "ann";
    let created = log.iter().rfind(of_ann).unwrap();
    assert_eq!((&created["action"], &created["actor"]), (&json!("user.create"), &json!("test")));
    assert!(!log.iter().any(|entry| entry.to_string().contains(password)));
    let sites = run(&mut m, &["audit", "list", "--action", "site.", "--actor", "test"], 0).await;
    assert_eq!(sites.out.lines().count(), 2, "{}", sites.out);
    let csv = run(&mut m, &["audit", "export", "--format", "csv"], 0).await;
    assert!(csv.out.starts_with("audit_id,at,actor_kind,"), "{}", csv.out);
    assert_eq!(csv.out.lines().count(), log.len() + 1);
}

#[tokio::test]
async fn a_job_is_ordered_again_and_its_way_is_told() {
    let mut m = fleet(&["C1"]).await;
    let job = run(&mut m, &["devices", "wake", "C1", "--json"], 0).await.json();
    let id = job["job_id"].as_str().unwrap();
    let open = run(&mut m, &["jobs", "again", id], 1).await;
    assert!(open.err.contains("not ended"), "{}", open.err);
    run(&mut m, &["jobs", "cancel", id], 0).await;
    let again = run(&mut m, &["jobs", "again", id, "--json"], 0).await.json();
    assert_eq!((&again["kind"], &again["state"]), (&job["kind"], &json!("queued")));
    assert_ne!(again["job_id"], job["job_id"]);
    let way = run(&mut m, &["jobs", "events", id], 0).await;
    assert!(way.out.contains("job.created") && way.out.contains("job.cancelled"), "{}", way.out);

    run(&mut m, &["sites", "create", "eu"], 0).await;
    let windows = run(&mut m, &["sites", "windows", "eu"], 0).await;
    assert!(windows.cells().contains(&vec!["open", "yes"]), "{}", windows.out);
    let seen = run(&mut m, &["support", "C1"], 0).await;
    assert!(seen.cells().contains(&vec!["serial", "C1"]), "{}", seen.out);
    for args in [
        &["devices", "sessions", "C1"][..],
        &["devices", "files", "C1"],
        &["views", "list"],
        &["roles", "create", "watch", "--right", "read,audit"],
        &["roles", "change", "watch", "--to", "night watch", "--right", "read"],
        &["roles", "delete", "night watch"],
        &["groups", "create", "all", "-q", "online"],
        &["groups", "change", "all", "--to", "some", "-q", "not online"],
        &["users", "create", "ann"],
        &["users", "change", "ann", "--display-name", "Ann"],
        &["users", "password", "ann"],
        &["users", "delete", "ann"],
    ] {
        run(&mut m, args, 0).await;
    }
    run(&mut m, &["devices", "files", "C1", "get", id], 1).await;
    run(&mut m, &["devices", "reveal", "C1", "Device.X_Password"], 1).await;
    run(&mut m, &["users", "remove-totp", "ann"], 1).await;
}

#[tokio::test]
async fn events_are_followed_as_they_happen() {
    let mut m = fleet(&["C1", "C2"]).await;
    let token = m.token();
    let mut child = Command::from(m.command())
        .args(["events", "follow", "-k", "job.", "--device", "C1", "--json"])
        .env("MUSTER_SERVER", format!("http://{}", m.web))
        .env("MUSTER_TOKEN", token)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Nothing says when it has begun to follow: what happens goes on until it is seen.
    let event: Value = loop {
        for serial in ["C2", "C1"] {
            let job = run(&mut m, &["devices", "refresh", serial, "--json"], 0).await.json();
            run(&mut m, &["jobs", "cancel", job["job_id"].as_str().unwrap()], 0).await;
        }
        let line = timeout(Duration::from_secs(1), lines.next_line());
        if let Ok(line) = line.await {
            break serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        }
    };
    assert_eq!(event["serial"], "C1", "{event}");
    assert!(event["kind"].as_str().unwrap().starts_with("job."), "{event}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_shell_learns_the_commands() {
    let m = Muster::start(LAB).await;
    for shell in ["bash", "zsh", "fish"] {
        let script = run_with(&m, &[], &["completion", shell], 0).await.out;
        for word in ["devices", "factory-reset", "serve"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    run_with(&m, &[], &["completion", "dos"], 2).await;
}

#[tokio::test]
async fn an_account_is_kept_by_a_token_of_ones_own() {
    let mut m = fleet(&["C1"]).await;
    let file = m.data_dir().join("password");
    let path = file.to_str().unwrap().to_owned();
    std::fs::write(&file, "seven-sleepy-walruses\n").unwrap();
    let create = ["users", "create", "ann", "--grant", "viewer", "--password-file", &path];
    run(&mut m, &create, 0).await;
    let program = run(&mut m, &["account", "show"], 1).await;
    assert!(program.err.contains("a program's token"), "{}", program.err);

    let mut session = Session::opened(&m, "ann").await;
    let fields = [("name", "laptop"), ("scopes", "read"), ("password", "seven-sleepy-walruses")];
    let token = session.post("/account/tokens", &fields).await.copyable();
    let env = [("MUSTER_TOKEN", token.as_str())];
    let account = run_with(&m, &env, &["account", "show"], 0).await;
    assert!(account.cells().contains(&vec!["login", "ann"]), "{}", account.out);
    let tokens = run_with(&m, &env, &["account", "tokens", "list"], 0).await;
    assert!(tokens.out.contains("laptop"), "{}", tokens.out);
    let zone = ["account", "preferences", "--time-zone", "Europe/Riga"];
    let chosen = run_with(&m, &env, &zone, 0).await;
    assert!(chosen.cells().contains(&vec!["time_zone", "Europe/Riga"]), "{}", chosen.out);
    let offer = run_with(&m, &env, &["account", "totp", "begin", "--json"], 0).await.json();
    let offer = offer["offer"].as_str().unwrap();
    let confirm = ["account", "totp", "confirm", offer, "000000", "--password-file", &path];
    let wrong = run_with(&m, &env, &confirm, 1).await;
    assert!(wrong.err.contains("(/code)"), "{}", wrong.err);

    let create = ["views", "create", "Old ones", "-q", "version < 7", "--shared"];
    run_with(&m, &env, &create, 0).await;
    assert!(run(&mut m, &["views", "list"], 0).await.out.contains("Old ones"));
    let change = ["views", "change", "Old ones", "--to", "Oldest", "--shared=false"];
    run_with(&m, &env, &change, 0).await;
    assert!(!run(&mut m, &["views", "list"], 0).await.out.contains("Oldest"));
    run_with(&m, &env, &["views", "delete", "Oldest"], 0).await;

    let password = ["account", "password", "--password-file", &path];
    let changed = run_with(&m, &env, &password, 0).await;
    assert!(changed.err.starts_with("password "), "{}", changed.err);
    assert!(!session.is_in().await);
    run_with(&m, &env, &password, 1).await;
}
