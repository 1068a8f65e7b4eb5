//! The terminal: what devices say does not steer it, and the shell completes commands.

use crate::harness::cli::{run, run_with};
use crate::harness::cpe::{inform, meet};
use crate::harness::{LAB, Muster};

#[tokio::test]
async fn a_hostile_device_does_not_steer_the_terminal() {
    let serial = "EVIL\u{9b}31m\u{202e}x";
    let mut m = Muster::start(LAB).await;
    meet(m.cwmp, &inform(serial, &["1 BOOT"])).await;
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
