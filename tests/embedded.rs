//! `muster serve` with no database named: its own PostgreSQL, unseen by everybody else.

use std::process::Stdio;

use nix::unistd::{Pid, geteuid};

use crate::harness::cpe::{inform, meet};
use crate::harness::embedded::Embedded;
use crate::harness::kit::{Api, device_path};
use crate::harness::{LAB, Muster};

/// Sockets on which a process listens for TCP, by the kernel's own tables.
fn tcp_listeners(pid: Pid) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let own: Vec<String> = files
        .filter_map(|f| std::fs::read_link(f.path()).ok())
        .filter_map(|l| {
            Some(l.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}"));
    let listens = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|i| own.iter().any(|o| o == i))
    };
    // There may be no IPv6.
    let both = table("tcp").unwrap() + &table("tcp6").unwrap_or_default();
    both.lines().filter(listens).map(str::to_owned).collect()
}

fn owner(pid: Pid) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Whether it runs; one that has ended and is not yet reaped has no directory.
fn exists(pid: Pid) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok()
}

#[tokio::test]
async fn it_runs_unseen_stops_clean_and_finds_its_data_again() {
    let mut embedded = Embedded::start(LAB).await;
    let postmaster = embedded.postmaster().unwrap();
    assert_eq!(tcp_listeners(postmaster), Vec::<String>::new());
    let muster = Pid::from_raw(i32::try_from(embedded.muster.pid()).unwrap());
    assert_eq!(tcp_listeners(muster).len(), 3, "the look itself finds listeners");
    match geteuid().is_root() {
        true => assert_ne!(owner(postmaster), 0, "PostgreSQL has no business being root"),
        false => assert_eq!(owner(postmaster), geteuid().as_raw()),
    }
    meet(embedded.muster.cwmp, &inform("EMBEDDED1", &["2 PERIODIC"])).await;

    let second = embedded.muster.command().arg("serve").stdout(Stdio::null()).output().unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(words.contains("another muster serves"), "{words}");
    assert_eq!(embedded.postmaster(), Some(postmaster), "the first was left alone");

    assert!(embedded.muster.stop());
    assert!(!exists(postmaster));
    assert_eq!(embedded.postmaster(), None);

    embedded.muster.run().await;
    let api = Api::of(&mut embedded.muster);
    assert_eq!(api.get(&device_path("EMBEDDED1")).await["serial"], "EMBEDDED1");
    assert!(embedded.muster.stop());
}

#[tokio::test]
async fn it_recovers_from_a_kill_and_ends_what_was_left_behind() {
    let mut embedded = Embedded::start(LAB).await;
    meet(embedded.muster.cwmp, &inform("EMBEDDED2", &["2 PERIODIC"])).await;
    let orphan = embedded.postmaster().unwrap();
    embedded.muster.kill();
    assert_eq!(embedded.postmaster(), Some(orphan), "it lost its master and lives on");
    embedded.muster.run().await;
    assert!(!exists(orphan));
    assert_ne!(embedded.postmaster(), Some(orphan));
    let api = Api::of(&mut embedded.muster);
    api.get(&device_path("EMBEDDED2")).await;
    meet(embedded.muster.cwmp, &inform("EMBEDDED3", &["2 PERIODIC"])).await;
    assert!(embedded.muster.stop());
    assert_eq!(embedded.postmaster(), None);
}

#[tokio::test]
async fn it_runs_as_an_ordinary_user() {
    if !geteuid().is_root() {
        // Then all the other tests here are this one.
        return;
    }
    const NOBODY: u32 = 65_534;
    let mut embedded = Embedded::start_as(NOBODY).await;
    assert_eq!(owner(embedded.postmaster().unwrap()), NOBODY);
    assert!(embedded.muster.stop());
    assert_eq!(embedded.postmaster(), None);
}

#[tokio::test]
async fn a_missing_postgresql_is_named_as_its_package() {
    let muster = Muster::start(LAB).await;
    let dir = tempfile::tempdir().unwrap();
    let output = muster
        .command()
        .env("DATABASE_URL", "")
        .env("MUSTER_DATA_DIR", dir.path())
        .env("MUSTER_DATABASE__POSTGRES_BIN", "/nonexistent")
        .arg("serve")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("apt-get install postgresql"), "{words}");
    assert!(!dir.path().join("postgres").exists());
}
