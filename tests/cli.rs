//! The command line as an operator meets it.

use std::net::TcpListener;
use std::process::Output;

use crate::harness::{LAB, Muster};

/// Runs a command that must end with this code; gives what it wrote.
fn run(muster: &Muster, args: &[&str], env: &[(&str, &str)], code: i32) -> (String, String) {
    let mut command = muster.command();
    let Output { status, stdout, stderr } =
        command.args(args).envs(env.iter().copied()).output().unwrap();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "muster {args:?}\n{out}\n{err}");
    (out, err)
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_and_says_how_to_mend_it() {
    let muster = Muster::start(LAB).await;
    let (report, _) = run(&muster, &["doctor"], &[], 0);
    assert!(!report.contains("ERROR"), "{report}");
    assert!(report.contains("takes writes"), "{report}");
    assert!(report.lines().any(|l| l.starts_with("ok       migrations: all")), "{report}");
    assert!(report.contains("is held, and Muster is running"), "{report}");
    let warning = report.lines().find(|l| l.starts_with("warning") && l.contains("authentication"));
    assert!(warning.is_some(), "{report}");

    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let held = holder.local_addr().unwrap().to_string();
    // The metrics listener tells whether a port is held by Muster itself.
    let free = ("MUSTER_METRICS__LISTEN", "127.0.0.1:0");
    let (report, _) = run(&muster, &["doctor"], &[("MUSTER_ACS__LISTEN", held.as_str()), free], 1);
    let error = report.lines().find(|l| l.starts_with("ERROR")).unwrap();
    assert!(error.contains("CWMP port") && error.contains(&held), "{report}");

    let nowhere = ("DATABASE_URL", "postgres://u:sesame@127.0.0.1:1/x");
    let (report, _) = run(&muster, &["doctor"], &[nowhere], 1);
    assert!(report.contains("ERROR    database"), "{report}");
    assert!(!report.contains("sesame"), "{report}");
}

#[tokio::test]
async fn an_unknown_key_is_an_error_that_names_the_nearest() {
    let muster = Muster::start(LAB).await;
    let misspelt = [("MUSTER_ACS__LISEN", "127.0.0.1:1")];
    let (report, _) = run(&muster, &["doctor"], &misspelt, 1);
    assert!(report.contains("MUSTER_ACS__LISTEN"), "{report}");
    for command in ["serve", "migrate", "enrolment"] {
        let (_, words) = run(&muster, &[command], &misspelt, 1);
        assert!(words.contains("the nearest one is MUSTER_ACS__LISTEN"), "{words}");
    }
    let file = muster.data_dir().join("bad.toml");
    std::fs::write(&file, "[acs]\n\nlisten = \"nowhere\"\n").unwrap();
    let (_, words) = run(&muster, &["--config", file.to_str().unwrap(), "serve"], &[], 1);
    assert!(words.contains("bad.toml line 3"), "{words}");
    std::fs::write(&file, "[acs]\nlisten = \"127.0.0.1:1\"\nlisen = 1\n").unwrap();
    let (_, words) = run(&muster, &["serve", "--config", file.to_str().unwrap()], &[], 1);
    assert!(words.contains("bad.toml line 3") && words.contains("lisen"), "{words}");
}

#[tokio::test]
async fn every_command_explains_itself() {
    let muster = Muster::start(LAB).await;
    let (all, _) = run(&muster, &["--help"], &[], 0);
    for command in ["serve", "doctor", "migrate", "token", "enrolment", "simulate", "benchmark"] {
        assert!(all.contains(command), "{all}");
        let (help, _) = run(&muster, &[command, "--help"], &[], 0);
        assert!(help.contains(&format!("Usage: muster {command}")), "{help}");
        let first = help.lines().next().unwrap();
        assert!(first.len() > 15 && !first.starts_with("Usage"), "no explanation: {help}");
    }
    let (help, _) = run(&muster, &["simulate", "--help"], &[], 0);
    for option in ["--devices <DEVICES>", "--acs <URL>", "--sick <SICK>", "small-reads"] {
        assert!(help.contains(option), "{option} is not explained: {help}");
    }
    let (version, _) = run(&muster, &["--version"], &[], 0);
    assert_eq!(version.trim(), format!("muster {}", env!("CARGO_PKG_VERSION")));
    run(&muster, &["selfdestruct"], &[], 2);
    let (_, words) = run(&muster, &["simulate", "--acs", "ftp://x/"], &[], 1);
    assert!(words.contains("`ftp://x/` is no http or https URL"), "{words}");
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let muster = Muster::start(LAB).await;
    let applied = async || -> Vec<String> {
        let rows = "select m::text from _sqlx_migrations m order by version";
        sqlx::query_scalar(rows).fetch_all(&muster.pool).await.unwrap()
    };
    let before = applied().await;
    assert!(before.len() >= 3, "{before:?}");
    for _ in 0..2 {
        assert_eq!(muster.cli(&["migrate"]), "the schema is up to date\n");
    }
    assert_eq!(applied().await, before);
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let mut muster = Muster::start(LAB).await;
    let (status, system) = muster.api("GET", "/api/v1/system", None).await;
    assert_eq!((status, &system["devices"]), (200, &serde_json::json!(0)));
    let args = ["token", "create", "--name", "billing", "--scope", "read", "--days", "7"];
    let token = muster.cli(&args).trim().to_owned();
    let list = muster.cli(&["token", "list"]);
    let line = list.lines().find(|l| l.contains("billing")).unwrap().to_owned();
    assert!(line.contains("  read  ") && line.contains("until 20"), "{line}");
    assert!(list.lines().any(|l| l.contains("  admin  test  without end")), "{list}");
    assert!(!list.contains(&token), "the secret is shown once");

    let url = format!("http://{}/api/v1/devices", muster.web);
    let ask =
        || async { muster.http().get(&url).bearer_auth(&token).send().await.unwrap().status() };
    assert_eq!(ask().await, 200);
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(muster.cli(&["token", "revoke", id]), "revoked\n");
    assert_eq!(ask().await, 401);
    let (_, words) = run(&muster, &["token", "revoke", id], &[], 1);
    assert!(words.contains(id), "{words}");
    assert!(muster.cli(&["token", "list"]).lines().any(|l| l.contains("revoked 20")));
    assert_eq!(muster.get("/api/v1/devices").await["items"], serde_json::json!([]));
}

#[tokio::test]
async fn the_enrolment_credential_is_printed_and_stays_the_same() {
    let muster = Muster::start(&[("MUSTER_ACS__PUBLIC_URL", "http://acs.example:7547/")]).await;
    let text = muster.cli(&["enrolment"]);
    assert!(text.contains("url      http://acs.example:7547\n"), "{text}");
    let (user, password) = muster.enrolment();
    assert_eq!((user.as_str(), password.len()), ("enrol", 20));
    assert_eq!(muster.cli(&["enrolment"]), text);
}
