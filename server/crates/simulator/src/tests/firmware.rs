//! What a simulated device makes of firmware, and what ails it by an upgrade.

use muster_routeros::allowed::Allowed;
use muster_routeros::arch::Arch;
use muster_routeros::inspect::{self, Inspection};
use muster_routeros::package::file_name;
use muster_routeros::version::RosVersion;

use super::*;

/// The first device of a fleet in which all have this ailment, and its ACS.
struct Bench {
    acs: Arc<Acs>,
    address: SocketAddr,
    fleet: FleetHandle,
    identity: Identity,
    shutdown: CancellationToken,
}

impl Bench {
    async fn start(ailment: &str) -> Self {
        let (acs, address) = Acs::start().await;
        let shutdown = CancellationToken::new();
        let mut options = options(address);
        options.sickness = format!("{ailment}=100%").parse().unwrap();
        options.time_scale = 1_000.0;
        // One that has radios, and that no split of packages concerns.
        options.seed = (1..)
            .find(|seed| {
                let identity = Identity::derive(*seed, 0);
                identity.version == "7.12.1" && identity.profile().board == PROFILES[1].board
            })
            .unwrap();
        let fleet = start_fleet(options, shutdown.clone()).await.unwrap();
        let identity = fleet.identity(0);
        Self { acs, address, fleet, identity, shutdown }
    }

    /// Offers a system of these packages under this name, and gives its URL.
    fn offer(&self, file: &str, version: &str, packages: &[&str]) -> String {
        let (arch, version): (Arch, RosVersion) = (self.identity.arch(), version.parse().unwrap());
        let mut links = String::new();
        for name in packages {
            let (name, content) = packages::file(name, &version, arch, 100_000);
            self.acs.serve_file(&name, content);
            links += &format!("<link><url>http://{}/{name}</url></link>", self.address);
        }
        self.acs.serve_file(
            file,
            format!(
                "<upgrade version=\"1\" type=\"links\"><config/><links>{links}</links></upgrade>"
            ),
        );
        format!("http://{}/{file}", self.address)
    }

    /// Has the device download a system; its fault.
    async fn download(&self, url: String) -> Option<u32> {
        self.transfer(download("1 Firmware Upgrade Image", url)).await
    }

    /// Orders a transfer, and waits for its end; its fault.
    async fn transfer(&self, order: Request) -> Option<u32> {
        let before = self.acs.until(|seen| Some(seen.completed.len())).await;
        self.acs.order(order);
        self.fleet.change(0, names::PROVISIONING_CODE, &format!("transfer {before}"));
        let done = self.acs.until(|seen| seen.completed.get(before).cloned()).await;
        done.fault.map(|fault| fault.code.0)
    }

    /// Runs a script.
    async fn run(&self, script: &str) {
        self.acs.serve_file("change.alter", script);
        let url = format!("http://{}/change.alter", self.address);
        assert_eq!(self.transfer(download("3 Vendor Configuration File", url)).await, None);
    }

    /// What the device says of itself.
    async fn inspect(&self) -> Inspection {
        self.run(include_str!("../../../../../templates/rsc/inspect.rsc")).await;
        assert_eq!(self.transfer(upload("2 Vendor Log File", self.address)).await, None);
        let log = self.acs.until(|seen| seen.uploads.last().cloned()).await;
        inspect::parse(&log, inspect::NONCE).unwrap()
    }

    /// Reads a parameter in a session that comes after all so far; `None` = it is not there.
    async fn read(&self, name: &str) -> Option<String> {
        let before = self.acs.until(|seen| Some(seen.answers.len())).await;
        self.acs.order(Request::GetParameterValues(vec![name.to_owned()]));
        self.fleet.change(0, names::PROVISIONING_CODE, &format!("read {before}"));
        match self.acs.until(|seen| seen.answers.get(before..)?.first().cloned()).await {
            Body::Response(Response::GetParameterValues(values)) => Some(values[0].value.clone()),
            _ => None,
        }
    }

    /// The boots that the ACS has heard of, once they are so many; the last one's version.
    async fn booted(&self, times: usize) -> String {
        let boots = self.acs.until(|seen| {
            let mut boots = seen.informs.iter().filter(|inform| inform.has(EventCode::Boot));
            boots.nth(times - 1).cloned()
        });
        boots.await.by_suffix(".SoftwareVersion").unwrap().to_owned()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.fleet.finished().await;
    }
}

fn package(name: &str, version: RosVersion, arch: Arch) -> Vec<u8> {
    packages::file(name, &version, arch, 100_000).1
}

const SYSTEM: [&str; 3] = ["routeros", "tr069-client", "wireless"];

#[tokio::test]
async fn upgrades_and_goes_dark_without_its_client() {
    let bench = Bench::start("none").await;
    let good = bench.offer("good", "7.16.1", &SYSTEM);
    let dark = bench.offer("dark", "7.16.2", &["routeros", "wireless"]);
    let lost = bench.offer("lost", "7.99.1", &SYSTEM);
    bench.acs.seen.lock().unwrap().files.remove("/routeros-7.99.1-arm.npk").unwrap();
    assert_eq!(bench.download(format!("http://{}/missing", bench.address)).await, Some(9016));
    assert_eq!(bench.download(lost).await, Some(9016));
    assert_eq!(bench.download(good).await, None);
    assert_eq!(bench.booted(2).await, "7.16.1");
    let told = |seen: &Seen| {
        let inform = seen.informs.iter().rfind(|inform| inform.has(EventCode::Boot)).cloned();
        inform.filter(|inform| inform.has(EventCode::ValueChange))
    };
    assert!(bench.acs.until(told).await.has(EventCode::TransferComplete));
    assert!(bench.read("Device.WiFi.Radio.1.Status").await.is_some());

    bench.acs.order(download("1 Firmware Upgrade Image", dark));
    bench.fleet.change(0, names::PROVISIONING_CODE, "dark");
    let gone = async {
        while bench.fleet.stats().dark == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn what_is_no_package_or_another_one_is_not_installed() {
    let bench = Bench::start("none").await;
    let url = bench.offer("good", "7.16.1", &SYSTEM);
    let (arch, version) = (bench.identity.arch(), RosVersion::release(7, 16, 1));
    let name = file_name("routeros", &version, arch);
    let whole = package("routeros", version, arch);
    for content in [
        b"x".repeat(100),
        whole[..whole.len() - 1].to_vec(),
        package("routeros", RosVersion::release(7, 16, 2), arch),
        package("wireless", version, arch),
        package("routeros", version, Arch::Tile),
    ] {
        bench.acs.serve_file(&name, content);
        assert_eq!(bench.download(url.clone()).await, Some(9018));
    }
    bench.acs.serve_file(&name, whole);
    assert_eq!(bench.download(url).await, None);
    assert_eq!(bench.booted(2).await, "7.16.1");
    bench.stop().await;
}

#[tokio::test]
async fn radios_go_with_their_driver_and_come_back_with_it() {
    let bench = Bench::start("none").await;
    let without = bench.offer("without", "7.16.1", &["routeros", "tr069-client"]);
    let with = bench.offer("with", "7.16.2", &SYSTEM);
    let radio = "Device.WiFi.Radio.1.Status";
    assert!(bench.read(radio).await.is_some());
    assert_eq!(bench.download(without).await, None);
    assert_eq!(bench.booted(2).await, "7.16.1");
    assert_eq!(bench.read(radio).await, None);
    assert_eq!(bench.download(with).await, None);
    assert_eq!(bench.booted(3).await, "7.16.2");
    assert!(bench.read(radio).await.is_some());
    bench.stop().await;
}

#[tokio::test]
async fn sick_devices_fall_ill_by_an_upgrade() {
    let line = "Device.IP.Interface.1.Status";
    let clients = "Device.WiFi.AccessPoint.1.AssociatedDeviceNumberOfEntries";
    for (ailment, name, before, after) in [
        ("stuck", names::VERSION, "7.12.1", "7.12.1"),
        ("wan-down", line, "Up", "Down"),
        ("weak", clients, "2", "1"),
        ("none", line, "Up", "Up"),
    ] {
        let bench = Bench::start(ailment).await;
        let (up, down) =
            (bench.offer("up", "7.16.1", &SYSTEM), bench.offer("down", "7.12.1", &SYSTEM));
        let first = bench.read(name).await.unwrap();
        assert!(first == before || ailment == "weak", "{ailment}: {first}");
        assert_eq!(bench.download(up).await, None);
        bench.booted(2).await;
        assert_eq!(bench.read(name).await.as_deref(), Some(after), "{ailment}");
        assert_eq!(bench.download(down).await, None);
        assert_eq!(bench.booted(3).await, "7.12.1");
        assert_eq!(bench.read(name).await, Some(first), "{ailment}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_device_crashes_some_time_after_its_upgrade() {
    let bench = Bench::start("crash-after:60s").await;
    let url = bench.offer("up", "7.16.1", &SYSTEM);
    let crash = "Device.DeviceInfo.X_MIKROTIK_AutosupoutTime";
    let before = bench.read(crash).await;
    assert_eq!(bench.download(url).await, None);
    assert_eq!(bench.booted(2).await, "7.16.1");
    assert_eq!(bench.booted(3).await, "7.16.1");
    assert_ne!(bench.read(crash).await, before);
    bench.stop().await;
}

#[tokio::test]
async fn it_reports_on_itself_and_brings_its_booter_up_to_date() {
    let bench = Bench::start("none").await;
    let up = bench.offer("up", "7.17", &SYSTEM);
    let first = bench.inspect().await;
    let names_of = |report: &Inspection| -> Vec<String> {
        report.packages.iter().map(|package| package.name.clone()).collect()
    };
    assert_eq!(names_of(&first), ["routeros", "tr069-client"]);
    assert_eq!(first.packages[0].version, "7.12.1");
    assert_eq!(first.board.as_deref(), Some(bench.identity.profile().board));
    assert_eq!((&first.booter_current, &first.device_mode), (&first.booter_upgrade, &None));

    assert_eq!(bench.download(up).await, None);
    assert_eq!(bench.booted(2).await, "7.17");
    let second = bench.inspect().await;
    assert_eq!(names_of(&second), SYSTEM);
    assert_eq!(second.device_mode.as_deref(), Some("home"));
    assert!(second.allowed_versions.unwrap().parse::<Allowed>().is_ok());
    assert_eq!(second.booter_current, first.booter_current);
    assert_eq!(second.booter_upgrade.as_deref(), Some("7.17"));

    let script = include_str!("../../../../../templates/rsc/routerboot.rsc");
    bench.run(script).await;
    bench.acs.order(Request::Reboot("again".to_owned()));
    bench.fleet.change(0, names::PROVISIONING_CODE, "reboot");
    bench.booted(3).await;
    assert_eq!(bench.inspect().await.booter_current.as_deref(), Some("7.17"));
    bench.stop().await;
}

#[tokio::test]
async fn a_transfer_may_end_with_a_fault() {
    let bench = Bench::start("transfer:9010").await;
    let url = bench.offer("up", "7.16.1", &SYSTEM);
    assert_eq!(bench.download(url).await, Some(9010));
    assert_eq!(bench.fleet.stats().boots, 1);
    bench.stop().await;
}
