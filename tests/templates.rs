//! Templates: kept with their versions, refused with their lines, previewed without secrets; and what
//! becomes of one that loops or eats memory.

use serde_json::{Value, json};

use crate::harness::cpe::{Cpe, inform};
use crate::harness::kit::{Api, device_path};
use crate::harness::{LAB, Muster};

fn wifi() -> Value {
    json!({
        "name": "home wifi",
        "body": "/interface/wifi/set [find default-name=wifi1] ssid={{ ssid }}\n\
                 /interface/wifi/security/set [find name=home] passphrase={{ wifi_password }}\n",
        "variables": [
            { "name": "ssid", "type": "string", "max": 32, "required": true },
            { "name": "wifi_password", "type": "secret", "min": 8, "required": true },
        ],
    })
}

/// What is wrong with a draft, and not only to be warned of.
fn errors(lint: &Value) -> Vec<&Value> {
    let findings = lint["findings"].as_array().unwrap();
    findings.iter().filter(|finding| finding["severity"] == "error").collect()
}

#[tokio::test]
async fn a_template_is_kept_with_its_versions() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let path = api.make_at("/api/v1/templates", wifi()).await;
    let made = api.get(&path).await;
    assert_eq!((&made["version"], &made["builtin"]), (&json!(1), &json!(false)));
    assert_eq!(made["variables"][0]["max"], 32);
    assert_eq!(api.refused("POST", "/api/v1/templates", Some(wifi())).await.0, 409);

    // Only what is rendered makes a version.
    let change = json!({ "description": "for homes" });
    assert_eq!(api.send("PATCH", &path, change).await["version"], 1);
    let note = Some(json!({ "note": "why" }));
    assert_eq!(api.refused("PATCH", &path, note).await.1, "/note");
    let body = "/interface/wifi/set [find name=a] ssid={{ ssid | upper }}\r\n\
                /interface/wifi/security/set [find] passphrase={{ wifi_password }}\n";
    let changed = api.send("PATCH", &path, json!({ "body": body, "note": "in capitals" })).await;
    assert_eq!((&changed["version"], &changed["note"]), (&json!(2), &json!("in capitals")));
    assert_eq!(changed["body"], body.replace('\r', ""));
    let versions = api.get(&format!("{path}/versions")).await;
    let versions: Vec<&Value> =
        versions["items"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
    assert_eq!(versions, [2, 1]);
    let first = api.get(&format!("{path}/versions/1")).await;
    assert_eq!(first["body"], wifi()["body"]);
    assert_eq!(api.refused("GET", &format!("{path}/versions/3"), None).await.0, 404);

    let copy = api.make_at(&format!("{path}/copy"), json!({ "name": "mine" })).await;
    let copied = api.get(&copy).await;
    assert_eq!((&copied["version"], &copied["body"]), (&json!(1), &changed["body"]));

    // A profile that uses it keeps it; another version has the fleet compared.
    let id = changed["template_id"].as_str().unwrap();
    let desired = json!({ "template": { "template_id": id } });
    let profile = json!({ "name": "homes", "desired": desired });
    let profile = api.make_at("/api/v1/profiles", profile).await;
    let (status, _, why) = api.refused("DELETE", &path, None).await;
    assert!(status == 409 && why.contains("`homes`"), "{why}");
    api.send("PATCH", &path, json!({ "body": wifi()["body"] })).await;
    let sweeps = api.get("/api/v1/sweeps").await;
    let reason = sweeps["items"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("home wifi has a version 3"), "{sweeps}");
    assert_eq!(api.call("DELETE", &profile, None).await.0, 204);
    assert_eq!(api.call("DELETE", &path, None).await.0, 204);
    assert_eq!(api.refused("GET", &path, None).await.0, 404);
    assert_eq!(api.get(&copy).await["name"], "mine");

    let entries = api.get("/api/v1/audit?limit=100").await.to_string();
    for action in ["template.create", "template.change", "template.delete"] {
        assert!(entries.contains(action), "{action}");
    }
}

#[tokio::test]
async fn one_of_the_bench_is_kept_only_if_a_board_could_take_it() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let of = |body: &str, bench: bool| json!({ "name": "lab", "body": body, "bench": bench });
    let good = ":delay 10s\n/system/identity/set name={{ device.serial }}\n\
                /ip/dns/set servers=192.0.2.1\n";
    let early = "/ip/dns/set servers=192.0.2.1\n";
    let large = format!("{good}{}", format!("# {}\n", "x".repeat(97)).repeat(40));
    for (body, told) in [
        (early, "line 1: no wait before this"),
        (":delay 1m\n:delay 60s\n", "line 2: delays of 120 s"),
        (good.trim_end(), "line 3: the last line"),
        (large.as_str(), "Not enough flash space, ignoring: at its smallest it has 4,"),
    ] {
        let draft = Some(of(body, true));
        let (status, pointer, why) = api.refused("POST", "/api/v1/templates", draft).await;
        assert!((status, pointer.as_str()) == (422, "/body") && why.contains(told), "{why}");
    }

    // For devices it will do; for the bench it is to be another.
    let path = api.make_at("/api/v1/templates", of(early, false)).await;
    let (status, _, why) = api.refused("PATCH", &path, Some(json!({ "bench": true }))).await;
    assert!(status == 422 && why.contains("no wait"), "{why}");
    let kept = api.send("PATCH", &path, json!({ "bench": true, "body": good })).await;
    assert_eq!((&kept["bench"], &kept["version"]), (&json!(true), &json!(2)));
    assert_eq!(api.refused("PATCH", &path, Some(json!({ "body": early }))).await.0, 422);
    let preview = api.send("POST", &format!("{path}/preview"), json!({})).await;
    assert_eq!((&preview["limit"], &preview["findings"]), (&json!(4_000), &json!([])));
    // Whether it is for the bench makes no version.
    assert_eq!(api.send("PATCH", &path, json!({ "bench": false })).await["version"], 2);
}

#[tokio::test]
async fn what_is_sent_or_may_be_sent_keeps_its_template() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let body = ":delay 10s\n/system/identity/set name=a\n";
    let make = async |name: &str| {
        let fields = json!({ "name": name, "body": body, "bench": true });
        api.make_at("/api/v1/templates", fields).await
    };
    let (home, bare) = (make("home").await, make("bare").await);
    let refused = async |path: &str, holder: &str| {
        let rename = Some(json!({ "name": "another" }));
        for (method, body) in [("DELETE", None), ("PATCH", rename)] {
            let (status, _, why) = api.refused(method, path, body).await;
            assert!(status == 409 && why.contains(holder), "{method}: {status} {why}");
        }
    };
    let run = async |sql: &'static str| {
        sqlx::query(sql).execute(&muster.pool).await.unwrap();
    };

    run(
        "insert into benches (bench_id, host, interface, heard_at, armed_until, arming, updated_at)
         values (gen_random_uuid(), 'lab', 'eth9', now(), now() + interval '1 hour',
                 '{ \"template\": \"home\", \"mode_template\": \"bare\" }', now())",
    )
    .await;
    refused(&home, "the bench eth9 on lab").await;
    refused(&bare, "the bench eth9 on lab").await;
    run("update benches set armed_until = now() - interval '1 second'").await;
    run("insert into bench_boards (mac, bench_id, kind, state, first_seen_at, seen_at, updated_at,
                                   install, install_until)
         select 'E4:8D:8C:00:00:01', bench_id, 'etherboot', 'seen', now(), now(), now(),
                '{ \"release\": \"7.16.1\", \"packages\": [], \"template\": \"home\" }',
                now() + interval '1 hour'
         from benches")
    .await;
    refused(&home, "the board E4:8D:8C:00:00:01").await;
    run("update bench_boards set install_until = now() - interval '1 second'").await;

    let change = json!({ "kind": "template", "template": "home", "undo": { "template": "bare" } });
    let rollout = json!({ "name": "spring", "change": change,
                          "audience": { "selector": "serial = NOBODY" } });
    api.make("/api/v1/rollouts", rollout).await;
    for (state, stays) in [("draft", true), ("completed", false), ("aborted", false)] {
        sqlx::query("update rollouts set state = $1")
            .bind(state)
            .execute(&muster.pool)
            .await
            .unwrap();
        let (status, _, why) = api.refused("DELETE", &bare, None).await;
        assert!(status == 409 && why.contains("the rollout `spring`"), "{state}: {why}");
        if stays {
            assert_eq!(api.refused("DELETE", &home, None).await.0, 409, "{state}");
        }
    }
    // A rollout knows a template by its id.
    assert_eq!(api.send("PATCH", &home, json!({ "name": "house" })).await["version"], 1);
    assert_eq!(api.call("DELETE", &home, None).await.0, 204);
    run("update rollouts set state = 'rolled_back'").await;
    assert_eq!(api.call("DELETE", &bare, None).await.0, 204);
}

#[tokio::test]
async fn what_comes_with_muster_is_copied_and_not_changed() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let all = api.get("/api/v1/templates?limit=1000").await;
    let builtin = all["items"].as_array().unwrap();
    assert!(builtin.iter().any(|t| t["name"] == "bootstrap"), "{all}");
    for template in builtin {
        let path = format!("/api/v1/templates/{}", template["template_id"].as_str().unwrap());
        assert_eq!(template["builtin"], true, "{template}");
        assert_eq!(api.refused("DELETE", &path, None).await.0, 409);
        let change = Some(json!({ "description": "mine" }));
        assert_eq!(api.refused("PATCH", &path, change).await.0, 409);
        // Each can be rendered, and has nothing that a script must not have.
        let whole = api.get(&path).await;
        let draft = json!({
            "body": whole["body"], "variables": whole["variables"], "bench": whole["bench"],
        });
        let lint = api.send("POST", "/api/v1/templates/lint", draft).await;
        let errors = errors(&lint);
        assert!(errors.is_empty() && lint["size"].is_u64(), "{}: {errors:?}", whole["name"]);
        let name = format!("copy of {}", template["name"].as_str().unwrap());
        let copy = api.make_at(&format!("{path}/copy"), json!({ "name": name })).await;
        assert_eq!(api.send("PATCH", &copy, json!({ "description": "mine" })).await["version"], 1);
    }
    // Started again it makes no further versions.
    muster.kill();
    muster.run().await;
    let again = api.get("/api/v1/templates?limit=1000").await;
    let of_muster = again["items"].as_array().unwrap().iter().filter(|t| t["builtin"] == true);
    assert_eq!(of_muster.collect::<Vec<_>>(), builtin.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_line_and_is_not_kept() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let variables = json!([{ "name": "ssid", "type": "string" }]);
    for (body, place, words) in [
        ("/ip dns\nset servers=\"{{ ssid }}\"\n", "/body", "line 2: "),
        ("{% include \"x\" %}{{ ssid }}", "/body", "line 1: "),
        ("\n{{ ssid | nothing }}", "/body", "line 2: "),
        ("{{ ssid }}\n\n{{ sssid }}", "/body", "line 3: "),
        ("/ip/dns/set servers={{ ssid }} {\n", "/body", "line 1: "),
        ("/ipp/dns/set servers={{ ssid }}\n", "/body", "line 1: "),
        (" ", "/body", "a body"),
    ] {
        let template = json!({ "name": "bad", "body": body, "variables": variables });
        let (status, pointer, why) = api.refused("POST", "/api/v1/templates", Some(template)).await;
        assert_eq!((status, pointer.as_str()), (422, place), "{body}: {why}");
        assert!(why.contains(words), "{body}: {why}");
    }
    let secret = json!({ "name": "bad", "body": "x", "variables": [
        { "name": "wifi_password", "type": "string" }] });
    let (status, place, _) = api.refused("POST", "/api/v1/templates", Some(secret)).await;
    assert_eq!((status, place.as_str()), (422, "/variables/0/name"));
    let all = api.get("/api/v1/templates?limit=1000").await;
    assert!(!all["items"].as_array().unwrap().iter().any(|t| t["name"] == "bad"), "{all}");

    // The same in full, and what is only to be warned of.
    let draft = json!({
        "body": "/ip/dns/set servers={{ dns }}\n/system/reset-configuration\n",
        "variables": [{ "name": "dns", "type": "ip" }, { "name": "idle", "type": "bool" }],
    });
    let lint = api.send("POST", "/api/v1/templates/lint", draft.clone()).await;
    let findings = lint["findings"].as_array().unwrap();
    let found = |code: &str| findings.iter().find(|f| f["code"] == code);
    assert_eq!(found("dangerous").unwrap()["line"], 2, "{lint}");
    assert_eq!(found("unused").unwrap()["severity"], "warning", "{lint}");
    // Nobody must give `dns`, and then there is nothing to write.
    assert_eq!(found("render").unwrap()["severity"], "warning", "{lint}");
    // What would fill the stack of whoever reads it does not end the server.
    let arms = "{%elif a%}".repeat(6_000);
    let chain = json!({ "body": format!("{{%if a%}}{arms}{{%endif%}}"), "variables": [] });
    let lint = api.send("POST", "/api/v1/templates/lint", chain).await;
    assert!(errors(&lint).iter().any(|e| e["words"].to_string().contains("`elif`")), "{lint}");
    let mut kept = draft;
    kept["name"] = json!("warned of");
    api.make_at("/api/v1/templates", kept).await;
}

#[tokio::test]
async fn a_preview_is_for_a_device_and_has_no_secret() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    Cpe::connect(muster.cwmp).await.post(&inform("S1", &["2 PERIODIC"])).await;
    let site = json!({ "path": "eu", "name": "Europe", "variables": {
        "ssid": "Site \"$net\"", "wifi_password": "hunter2-hunter2" } });
    api.make_at("/api/v1/sites", site).await;
    api.send("PATCH", &device_path("S1"), json!({ "site": "eu" })).await;
    let mut template = wifi();
    let more = "/system/identity/set name={{ device.serial ~ \" \" ~ site.name }}\n";
    template["body"] = json!(format!("{}{more}", template["body"].as_str().unwrap()));
    let path = api.make_at("/api/v1/templates", template.clone()).await;
    let preview = format!("{path}/preview");

    let shown = api.send("POST", &preview, json!({ "device": "serial:S1" })).await;
    let script = shown["script"].as_str().unwrap();
    assert!(script.contains(r#"ssid="Site \"\$net\"""#), "{script}");
    assert!(script.contains(r#"passphrase="********""#), "{script}");
    assert!(script.contains(r#"name="S1 Europe""#), "{script}");
    assert_eq!((&shown["missing"], &shown["lines"]), (&json!([]), &json!(3)));
    assert_eq!(shown["size"], script.len());

    // A value that is said goes before; one that is missing or does not fit is named.
    let values = json!({ "ssid": "x".repeat(33), "wifi_password": "short" });
    let shown = api.send("POST", &preview, json!({ "values": values })).await;
    let missing: Vec<&str> = shown["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| gap["name"].as_str().unwrap())
        .collect();
    // Rules of secrets are for whoever is given one.
    assert_eq!(missing, ["ssid"]);
    assert!(!shown.to_string().contains("short"), "{shown}");
    assert_eq!(shown["rescue"], Value::Null, "there is no device");
    assert_eq!(api.refused("POST", &preview, Some(json!({ "device": "serial:S9" }))).await.0, 404);
    let nothing = Some(json!({ "version": 2 }));
    assert_eq!(api.refused("POST", &preview, nothing).await.0, 404);

    // One that is not stored.
    let draft = json!({ "body": template["body"], "variables": template["variables"],
                        "device": "serial:S1" });
    let shown = api.send("POST", "/api/v1/templates/preview", draft).await;
    assert_eq!(shown["script"], script);
    // That a device cannot undo a script is said before it is sent one; RouterOS 7.16 has no device-mode
    // that would forbid it.
    assert_eq!(shown["rescue"], Value::Null);
    let newer = inform("S2", &["2 PERIODIC"]).replace("7.16.1", "7.20.1");
    Cpe::connect(muster.cwmp).await.post(&newer).await;
    let other = api.send("POST", &preview, json!({ "device": "serial:S2" })).await;
    let why = other["rescue"].as_str().unwrap();
    assert!(why.contains("device-mode"), "{why}");
    for (serial, rescue) in [("S1", &Value::Null), ("S2", &other["rescue"])] {
        let desired = api.get(&format!("{}/desired", device_path(serial))).await;
        assert_eq!(desired["rescue"], *rescue, "{serial}");
    }

    // Whoever writes a rule finds out nothing by it.
    let answers = [("pattern", json!("hunter.*")), ("pattern", json!("x")), ("min", json!(16))];
    for (rule, value) in answers {
        let mut draft = json!({ "body": template["body"], "variables": template["variables"],
                                "device": "serial:S1" });
        draft["variables"][1][rule] = value;
        assert_eq!(api.send("POST", "/api/v1/templates/preview", draft).await, shown);
    }
    assert!(!muster.log().contains("hunter2"), "{}", muster.log());
}

#[tokio::test]
async fn a_template_that_loops_or_eats_memory_is_stopped_and_the_next_one_is_rendered() {
    let settings: Vec<(&str, &str)> = LAB
        .iter()
        .copied()
        .chain([
            ("MUSTER_ZERO_TOUCH__RENDER_WORKERS", "1"),
            ("MUSTER_ZERO_TOUCH__RENDER_SECONDS", "2"),
            ("MUSTER_ZERO_TOUCH__RENDER_MEMORY_MB", "128"),
        ])
        .collect();
    let mut muster = Muster::start(&settings).await;
    let api = Api::of(&mut muster);
    let good = json!({ "body": "/system/identity/set name={{ device.serial }}\n" });
    let preview = "/api/v1/templates/preview";
    let range = "{% for a in range(end=100000) %}";
    let endless = format!("{}{}", range.repeat(3), "{% endfor %}".repeat(3));
    let doubling = "{% set s = \"xxxxxxxx\" %}{% for a in range(end=60) %}\
                    {% set_global s = s ~ s %}{% endfor %}";
    let long = "{% for a in range(end=100000) %}:put 1234567890\n{% endfor %}";
    let deep = "{% set x = [1] %}{% for a in range(end=100000) %}{% for b in range(end=100) %}\
                {% set_global x = [x] %}{% endfor %}{% endfor %}";
    for (body, words) in [
        (endless.as_str(), "zero_touch.render_seconds"),
        (doubling, "zero_touch.render_memory_mb"),
        (long, "256 KiB"),
        // Either the time, the memory, or the room that a process has for what is nested.
        (deep, "render"),
    ] {
        let (status, place, why) =
            api.refused("POST", preview, Some(json!({ "body": body }))).await;
        assert_eq!((status, place.as_str()), (422, "/body"), "{why}");
        assert!(why.contains(words), "{why}");
        let shown = api.send("POST", preview, good.clone()).await;
        assert_eq!(shown["script"], "/system/identity/set name=\"SAMPLE000001\"\n");
    }

    assert!(muster.log().contains("a draft of "), "whose it is: {}", muster.log());

    // It is known now, and takes nobody's time any more.
    let begin = std::time::Instant::now();
    let again = api.refused("POST", preview, Some(json!({ "body": endless }))).await;
    assert!(again.0 == 422 && again.2.contains("zero_touch.render_seconds"), "{again:?}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(1), "{:?}", begin.elapsed());

    // Those that wait behind one that is stopped are rendered all the same.
    let anew = |note: &str| json!({ "body": format!("{endless}{{# {note} #}}") });
    let slow = api.call("POST", preview, Some(anew("a")));
    let rest = (0..20).map(|_| api.call("POST", preview, Some(good.clone())));
    let (slow, rest) = tokio::join!(slow, futures_util::future::join_all(rest));
    assert_eq!(slow.0, 422, "{}", slow.1);
    assert!(rest.iter().all(|(status, _)| *status == 200), "{rest:?}");

    // A process that is ended from outside is no loss.
    for pid in workers(muster.pid()) {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    crate::harness::eventually("it renders again", || async {
        let (status, _) = api.call("POST", preview, Some(good.clone())).await;
        (status == 200).then_some(())
    })
    .await;

    // They end with the server, also in the middle of something.
    let path = format!("http://{}{preview}", muster.web);
    let (client, token) = (muster.http().clone(), muster.token());
    let body = anew("b");
    let asked = tokio::spawn(client.post(path).bearer_auth(token).json(&body).send());
    let pids = crate::harness::eventually("it renders", || async {
        Some(workers(muster.pid())).filter(|pids| !pids.is_empty())
    })
    .await;
    muster.kill();
    crate::harness::eventually("they are gone", || async {
        // One that nobody has buried yet has no command line either.
        let command = |pid| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        pids.iter().all(|pid| command(pid).is_empty()).then_some(())
    })
    .await;
    assert!(asked.await.unwrap().is_err());
}

/// The processes that render for a server.
fn workers(server: u32) -> Vec<nix::unistd::Pid> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read =
            |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let of_server = read("status").lines().any(|line| *line == format!("PPid:\t{server}"));
        if of_server && read("cmdline").contains("render-worker") {
            found.push(nix::unistd::Pid::from_raw(pid));
        }
    }
    found
}
