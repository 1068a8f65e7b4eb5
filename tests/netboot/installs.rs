//! Netinstall: our server against the simulator's boards, and a server that others wrote against the same
//! device. The device is a test double of ours; that `pynetinstall` installs it shows that it is no worse a
//! board than those which that program was made for, and nothing about our server.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use muster_netboot::mac::Mac;
use muster_netboot::netinstall::{Announcement, Device, File, Habits, Outcome, PORT, SCRIPT};
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::FleetOptions;
use muster_sim::boards::{Begin, BoardOptions, BoardsHandle, start_boards};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::lab::{Bench, RELEASE, image, script};
use super::pipe::Pipe;
use super::wire::{PATIENCE, Wire, new_mac, ready};
use crate::harness::eventually;
use crate::rollout::lab::upload;

const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";

/// One board, switched on like this.
async fn board(bench: &Bench, seed: u64, begin: Begin, stop: &CancellationToken) -> BoardsHandle {
    let fleet = FleetOptions {
        seed,
        ramp: Duration::ZERO,
        reboot_time: Duration::from_millis(20),
        ..FleetOptions::new(1, "")
    };
    let options = BoardOptions {
        fleet,
        begin,
        // Switched on again until it has something: first somebody must say that it may be formatted.
        lossless: true,
        ..BoardOptions::new(1, bench.wire.client.as_str())
    };
    start_boards(options, stop.clone()).await.unwrap()
}

#[tokio::test]
async fn boards_are_installed_that_were_armed_for_it_by_name_and_no_others() {
    if !ready(&[]) {
        return;
    }
    let bench = Bench::start(Wire::here()).await;
    upload(&bench.api, RELEASE).await;
    for arch in ["arm", "arm64", "mipsbe"] {
        bench.image(arch, &image(100_000)).await;
    }
    // The room of a flash-boot board is no matter here.
    let acs = format!("http://{}/", bench.muster.cwmp);
    let body = "/system identity set name=installed\n/tr069-client set acs-url={{ acs_url }} \
        username={{ acs_username }} password={{ acs_password }} enabled=yes\n";
    let text = |name: &str| json!({ "name": name, "type": "string", "required": true });
    let password = json!({ "name": "acs_password", "type": "secret", "required": true });
    let variables = [text("acs_url"), text("acs_username"), password];
    let template = json!({ "name": "installed", "body": body, "variables": variables });
    bench.post("/api/v1/templates", template).await;
    bench.template("first", &script(600)).await;
    let arming = json!({ "strategy": "etherboot-redirect", "variables": { "acs_url": acs } });
    bench.arm("first", arming).await;

    let stop = CancellationToken::new();
    let mut macs = Vec::new();
    // One as from the factory, which is sent on; one whose button somebody holds.
    let boards = [
        board(&bench, 21, Begin::Flashboot, &stop).await,
        board(&bench, 22, Begin::Etherboot, &stop).await,
    ];
    for boards in &boards {
        let mac: Mac = boards.fleet.identity(0).mac(1).parse().unwrap();
        bench.refused(mac, "not_claimed").await;
        bench.allow(mac).await;
        macs.push(mac);
    }
    for mac in &macs {
        bench.refused(*mac, "not_armed_for_install").await;
        let path = format!("/api/v1/bench/boards/{mac}/install");
        let other = json!({ "confirm": new_mac().to_string(), "release": RELEASE });
        assert_eq!(bench.api.call("POST", &path, Some(other)).await.0, 422, "another's address");
        bench.let_install(*mac, Some("installed")).await;
    }
    for (boards, mac) in boards.iter().zip(&macs) {
        let board = bench.until(*mac, "confirmed").await;
        assert!(board["install"].is_null() && board["done"] == true, "{board}");
        assert_eq!((&board["deliveries"], &board["template"]), (&json!(1), &json!("installed")));
        let states = bench.states(*mac).await;
        let stages = ["install_armed", "transferring", "installing", "installed", "confirmed"];
        let mut rest = states.iter();
        assert!(stages.iter().all(|stage| rest.any(|state| state == stage)), "{states:?}");
        let serial = boards.fleet.identity(0).serial;
        let device = bench.api.ready(&serial).await;
        assert!(device["software_version"].as_str().unwrap().starts_with(RELEASE), "{device}");
        let identity = bench.api.known(&serial, IDENTITY).await;
        assert_eq!(identity[0].1, "installed");
        assert_eq!(boards.stats().installed, 1);
    }
    // Twice: the word that sends it on, then its boot image. It was sent on also where its last word of
    // that is heard after it has asked again.
    let states = bench.states(macs[0]).await;
    let mut rest = states.iter();
    let stages = ["offered", "transferring", "redirected", "offered", "transferring", "installing"];
    assert!(stages.iter().all(|stage| rest.any(|state| state == stage)), "{states:?}");
    stop.cancel();
    for boards in &boards {
        boards.fleet.finished().await;
    }
}

/// Where `pynetinstall` is; `tests/run` installs it.
fn pynetinstall() -> String {
    let found = std::env::var("TEST_PYNETINSTALL").ok();
    found.unwrap_or_else(|| "pynetinstall (TEST_PYNETINSTALL names it)".to_owned())
}

/// Packages as that program wants them, the first called `system`, and a script; with what it is told.
fn write_files(dir: &Path) -> (PathBuf, Vec<File>) {
    let version: RosVersion = RELEASE.parse().unwrap();
    let mut files = Vec::new();
    for name in ["system", "tr069-client"] {
        let (name, content) = muster_sim::packages::file(name, &version, Arch::Arm64, 20_000);
        files.push(File { name, content: content.into() });
    }
    let text = script(3_000);
    files.push(File { name: SCRIPT.to_owned(), content: text.as_bytes().into() });
    for file in &files {
        std::fs::write(dir.join(&file.name), &file.content).unwrap();
    }
    let [system, client, script] = [0, 1, 2].map(|n| dir.join(&files[n].name));
    let settings = format!(
        "[pynetinstall]\nfirmware={}\nadditional_packages={}\nconfig={}\n",
        system.display(),
        client.display(),
        script.display()
    );
    let path = dir.join("settings.ini");
    std::fs::write(&path, settings).unwrap();
    (path, files)
}

/// Plays a device to its end; gives the files that it was given.
async fn play(mut device: Device, first: Vec<Vec<u8>>, pipe: &mut Pipe) -> Vec<File> {
    let all = SocketAddrV4::new(Ipv4Addr::BROADCAST, PORT);
    let (began, mut out) = (Instant::now(), first);
    while device.outcome().is_none() {
        assert!(began.elapsed() < PATIENCE, "so far: {:?}", device.files().len());
        for bytes in out.drain(..) {
            pipe.send(all, &bytes).await;
        }
        let due = device.deadline().unwrap_or(PATIENCE).saturating_sub(began.elapsed());
        out = match pipe.heard(due).await {
            Some((_, bytes)) => device.packet(&bytes, began.elapsed()),
            None => device.tick(began.elapsed()),
        };
    }
    assert_eq!(device.outcome(), Some(Outcome::Done));
    device.files().to_vec()
}

#[tokio::test]
async fn pynetinstall_installs_our_device() {
    let program = pynetinstall();
    if !ready(&["python3", &program]) {
        return;
    }
    let (wire, dir) = (Wire::apart(), tempfile::tempdir().unwrap());
    let (settings, files) = write_files(dir.path());
    // It sends to all without saying by which interface.
    wire.route_server();
    let log = dir.path().join("log");
    let said = std::fs::File::create(&log).unwrap();
    let _server = wire
        .server_command(&program)
        .args(["-v", "-i", wire.server.as_str(), "-c"])
        .arg(&settings)
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .unwrap();
    let mut pipe = Pipe::open(&wire, PORT).await;
    let announcement = Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "0123456789abcdef".to_owned(),
        model: "RB5009".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.0".to_owned(),
        version: None,
    };
    let habits = Habits { format: Duration::from_millis(200), ..Habits::default() };
    let (device, first) = Device::begin(new_mac(), announcement, habits, Duration::ZERO);
    let given = play(device, first, &mut pipe).await;
    assert!(given == files, "{:?}", given.iter().map(|file| &file.name).collect::<Vec<_>>());
    eventually("it says so", || async {
        std::fs::read_to_string(&log).ok().filter(|text| text.contains("successfully flashed"))
    })
    .await;
}
