//! What becomes of a running device by scripts that somebody types on it or that its own scheduler runs.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// One device whose RouterOS and hardware are these.
fn one(acs: SocketAddr, board: &str, version: &str) -> FleetOptions {
    let mut options = options(acs);
    options.time_scale = 1_000.0;
    options.seed = (1..)
        .find(|seed| {
            let identity = Identity::derive(*seed, 0);
            identity.version == version && identity.profile().board == board
        })
        .unwrap();
    options
}

#[tokio::test]
async fn what_somebody_types_shows_in_the_export() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    let fleet = fleet(address, &shutdown).await;
    acs.informed(EventCode::Bootstrap).await;
    let script = "/ip firewall filter add chain=input action=accept comment=typed\n:log info done";
    let typed = fleet.run(0, script).await.unwrap();
    assert_eq!(typed, Typed { log: vec!["script,info done".to_owned()], error: None });
    let refused = fleet.run(0, "/ip pool remove nothing").await.unwrap();
    assert!(refused.error.unwrap().contains("no such item"));
    assert_eq!(fleet.run(7, script).await, None);

    for (file, expected) in [
        ("1 Vendor Configuration File", "add action=accept chain=input comment=typed"),
        ("2 Vendor Log File", "script,info done"),
    ] {
        acs.order(upload(file, address));
        fleet.change(0, names::PROVISIONING_CODE, file);
        acs.until(|seen| seen.uploads.iter().any(|text| text.contains(expected)).then_some(()))
            .await;
    }
    shutdown.cancel();
    fleet.finished().await;
}

#[tokio::test]
async fn a_board_that_is_cut_off_comes_back_by_its_own_scheduler_where_its_mode_has_one() {
    let cut = "/system backup save name=rescue dont-encrypt=yes\n\
               /system scheduler add name=rescue interval=5m on-event={\n\
                   :if ([/tr069-client get status] != \"running\") do={\n\
                       /system backup load name=rescue password=\"\"\n\
                   } else={ /system scheduler remove [find name=rescue] }\n\
               }\n\
               /ip dhcp-client remove [find]";
    // 7.12.1 has no device-mode.
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    let options = one(address, "RB4011iGS+RM", "7.12.1");
    let fleet = start_fleet(options, shutdown.clone()).await.unwrap();
    acs.informed(EventCode::Bootstrap).await;
    acs.serve_file("cut.alter", cut);
    let url = format!("http://{address}/cut.alter");
    acs.order(download("3 Vendor Configuration File", url));
    fleet.change(0, names::PROVISIONING_CODE, "cut");
    // It reports only after it has undone what it was told.
    let done = acs.until(|seen| seen.completed.first().cloned()).await;
    assert_eq!(done.fault, None);
    let back = acs.informed(EventCode::TransferComplete).await;
    assert!(back.has(EventCode::Boot));
    assert!(fleet.stats().sessions_failed > 0);
    shutdown.cancel();
    fleet.finished().await;
}

#[tokio::test]
async fn entries_of_the_scheduler_do_not_run_where_the_mode_forbids_it() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    let options = one(address, "cAPGi-5HaxD2HaxD", "7.16.1");
    let fleet = start_fleet(options, shutdown.clone()).await.unwrap();
    acs.informed(EventCode::Bootstrap).await;
    // From this version on it has a device-mode, which is `home`.
    fleet.change(0, names::VERSION, "7.17");
    let entry = "/system scheduler add name=x interval=1s \
                 on-event=\"/system identity set name=ticked\"\n\
                 :log info [/system device-mode get mode]";
    let typed = fleet.run(0, entry).await.unwrap();
    assert_eq!(typed, Typed { log: vec!["script,info home".to_owned()], error: None });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ticked = ":if ([/system identity get name] != \"ticked\") do={ :error quiet }";
    assert!(fleet.run(0, ticked).await.unwrap().error.is_some());

    fleet.change(0, names::VERSION, "7.16.1");
    let runs = async {
        while fleet.run(0, ticked).await.unwrap().error.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), runs).await.unwrap();
    shutdown.cancel();
    fleet.finished().await;
}

#[tokio::test]
async fn scripts_are_typed_over_a_listener_that_only_this_machine_reaches() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    let mut with = options(address);
    with.control = Some("0.0.0.0:0".parse().unwrap());
    let refused = start_fleet(with.clone(), shutdown.clone()).await;
    assert!(matches!(refused, Err(FleetError::Control(_))));
    with.control = Some("127.0.0.1:0".parse().unwrap());
    let fleet = start_fleet(with, shutdown.clone()).await.unwrap();
    acs.informed(EventCode::Bootstrap).await;

    let control = fleet.control().unwrap();
    let identity = fleet.identity(0);
    let ask = |head: String, body: &'static str| async move {
        let mut stream = TcpStream::connect(control).await.unwrap();
        let request = format!(
            "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    };
    let list = ask("GET /devices HTTP/1.1".to_owned(), "").await;
    assert!(list.starts_with("HTTP/1.1 200 "), "{list}");
    assert!(list.contains(&identity.serial) && list.contains(&identity.mac(1)), "{list}");
    let post = format!("POST /devices/{}/script HTTP/1.1", identity.serial);
    let said = ask(post.clone(), ":log info hello").await;
    assert!(said.ends_with("{\"error\":null,\"log\":[\"script,info hello\"]}\n"), "{said}");
    let page = format!("{post}\r\nOrigin: http://page.example");
    for (head, status) in [
        (page, 403),
        (post.replace("POST", "GET"), 405),
        ("POST /devices/000000000000/script HTTP/1.1".to_owned(), 404),
        ("GET / HTTP/1.1".to_owned(), 404),
    ] {
        let reply = ask(head.clone(), ":log info hello").await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {reply}");
    }
    shutdown.cancel();
    fleet.finished().await;
}
