//! Clients of BOOTP and DHCP that others wrote: what each makes of our answers.

use serde_json::json;

use super::lab::{Bench, FILE, assigned, file, image, script};
use super::pipe::Pipe;
use super::wire::{PREFIX, Wire, new_mac, ready};

const KLIBC: &str = "/usr/lib/klibc/bin/ipconfig";

/// A bench that serves all kinds of clients, once it does: a first one was answered.
async fn open() -> (Bench, Pipe) {
    let bench = Bench::start(Wire::plain()).await;
    bench.template("clients", &script(600)).await;
    bench.arm("clients", json!({ "dhcp": true })).await;
    let mut pipe = Pipe::open(&bench.wire, 68).await;
    bench.introduce(&mut pipe, new_mac()).await;
    (bench, pipe)
}

/// Has BusyBox's client ask for a lease that it does not get.
async fn in_vain(wire: &Wire, more: &[&str]) {
    let args = ["-i", wire.client.as_str(), "-s", "/bin/true", "-f", "-n", "-t", "3", "-T", "1"];
    let said = wire.run("udhcpc", &[args.as_slice(), more].concat()).await;
    assert_eq!(said.code, Some(1), "{}", said.text);
}

#[tokio::test]
async fn klibc_understands_the_answer_to_a_request_without_any_options() {
    if !ready(&["python3", "curl", KLIBC]) {
        return;
    }
    let (bench, pipe) = open().await;
    drop(pipe);
    let (wire, mac) = (&bench.wire, new_mac());
    bench.allow(mac).await;
    wire.become_client(mac);
    let said = wire.run(KLIBC, &["-c", "bootp", "-t", "40", "-d", &wire.client]).await;
    // It leaves a note for the scripts of an initial RAM disk.
    let _ = std::fs::remove_file(format!("/run/net-{}.conf", wire.client));
    assert_eq!(said.code, Some(0), "{}", said.text);
    let board = bench.until(mac, "offered").await;
    let (address, server) = (board["address"].as_str().unwrap(), wire.address.to_string());
    for part in [
        format!("(bootp from {server})"),
        format!("address: {address} "),
        "netmask: 255.255.255.0 ".to_owned(),
        format!("gateway: {server} "),
        format!("rootserver: {server} "),
        format!("filename  : {FILE}"),
    ] {
        assert!(said.text.contains(&part), "{part}: {}", said.text);
    }
    assert_eq!((&board["kind"], &board["vendor_class"]), (&json!("other"), &json!(null)));
    assert_eq!(board["profile_status"], "unverified");

    // It has set its interface by that, so that others can read what it was told to.
    let url = format!("tftp://{server}/{FILE}");
    let said = wire.run("curl", &["-qsS", "--noproxy", "*", &url]).await;
    assert_eq!(said.text.as_bytes(), file(&script(600)), "{said:?}");
    let board = bench.until(mac, "delivered").await;
    assert_eq!((&board["size"], &board["deliveries"]), (&json!(600), &json!(1)), "{board}");
    assert_eq!((&board["done"], &board["template"]), (&json!(true), &json!("clients")));
}

#[tokio::test]
async fn bootpc_understands_the_answer_to_a_plain_request() {
    if !ready(&["python3", "bootpc"]) {
        return;
    }
    let (bench, pipe) = open().await;
    drop(pipe);
    let (wire, mac) = (&bench.wire, new_mac());
    bench.allow(mac).await;
    wire.become_client(mac);
    wire.route_client();
    let said = wire.run("bootpc", &["--dev", &wire.client]).await;
    assert_eq!(said.code, Some(0), "{}", said.text);
    let board = bench.until(mac, "offered").await;
    let (told, server) = (assigned(&said), wire.address.to_string());
    for (name, value) in [
        ("SERVER", server.as_str()),
        ("IPADDR", board["address"].as_str().unwrap()),
        ("NETMASK", "255.255.255.0"),
        ("BOOTFILE", FILE),
        ("GATEWAYS", server.as_str()),
    ] {
        assert_eq!(told[name], value, "{name}: {told:?}");
    }
}

#[tokio::test]
async fn udhcpc_is_given_a_lease_and_what_its_vendor_class_says_it_takes() {
    if !ready(&["python3", "udhcpc"]) {
        return;
    }
    let (bench, mut pipe) = open().await;
    let (wire, mac) = (&bench.wire, new_mac());
    bench.allow(mac).await;
    let told = bench.lease(mac, &[]).await;
    let board = bench.until(mac, "offered").await;
    let (server, prefix) = (wire.address.to_string(), PREFIX.to_string());
    for (name, value) in [
        ("ip", board["address"].as_str().unwrap()),
        ("mask", prefix.as_str()),
        ("router", server.as_str()),
        ("serverid", server.as_str()),
        ("siaddr", server.as_str()),
        ("boot_file", FILE),
        ("lease", "600"),
    ] {
        assert_eq!(told[name], value, "{name}: {told:?}");
    }
    assert_eq!(board["kind"], "dhcp");

    // A boot loader by its vendor class: its boot image, if it was armed for that by its name.
    bench.image("arm64", &image(1_000)).await;
    bench.packages("arm64").await;
    let other = new_mac();
    bench.introduce(&mut pipe, other).await;
    bench.let_install(other, None).await;
    let class = ["-V", "ARM64__boot", "-x", "0x80:353030392d6862", "-x", "0xe0:c0ffee"];
    let told = bench.lease(other, &class).await;
    assert_eq!((told["boot_file"].as_str(), &told["siaddr"]), ("linux.arm64", &server));
    let board = bench.once(other, "arm64", |board| board["arch"] == "arm64").await;
    assert_eq!((&board["kind"], &board["vendor_class"]), (&json!("dhcp"), &json!("ARM64__boot")));
    assert_eq!(board["options"]["224"], "c0ffee", "what nobody knows is kept");
    // Nobody is sent a boot image who was not.
    let third = new_mac();
    bench.allow(third).await;
    wire.become_client(third);
    in_vain(wire, &class).await;
    bench.refused(third, "not_armed_for_install").await;
}

#[tokio::test]
async fn who_speaks_dhcp_is_answered_only_where_the_bench_is_armed_for_that() {
    if !ready(&["python3", "udhcpc"]) {
        return;
    }
    let bench = Bench::start(Wire::plain()).await;
    bench.template("clients", &script(600)).await;
    bench.arm("clients", json!({})).await;
    let (wire, mac) = (&bench.wire, new_mac());
    bench.allow(mac).await;
    wire.become_client(mac);
    // Of other clients of the segment nothing is noted.
    in_vain(wire, &[]).await;
    assert!(bench.board(mac).await.is_none());
    in_vain(wire, &["-V", "ARM64__boot"]).await;
    bench.refused(mac, "dhcp_off").await;
    // Somebody arms it for them while the client goes on.
    bench.arm("clients", json!({ "dhcp": true })).await;
    assert_eq!(bench.lease(mac, &[]).await["serverid"], wire.address.to_string());
}
