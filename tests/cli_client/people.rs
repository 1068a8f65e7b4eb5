//! Who is let in: people and tokens, and an account of one's own.

use serde_json::{Value, json};

use super::fleet;
use crate::harness::cli::{Said, run, run_with};
use crate::harness::session::Session;
use crate::harness::{LAB, Muster};

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
