//! What is installed on a device: its packages, its RouterBOOT, and what becomes of new ones.
//!
//! Owns what of the data model depends on it, and what ails a device only after an upgrade. Which
//! system a board boots is [`crate::manifest`]'s.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use muster_routeros::inspect::MARK;
use muster_routeros::package::{CLIENT, MAIN};
use muster_routeros::version::RosVersion;
use tokio::time::Instant;

use crate::board::Air;
use crate::device::Device;
use crate::household;
use crate::manifest::{Board, Install, Package};
use crate::model::Model;
use crate::profile::{Driver, Identity};
use crate::script::names;
use crate::sickness::Ailment;

/// The first lines of the scripts `inspect.rsc` and `routerboot.rsc`.
const INSPECT: &str = "# muster-script: inspect 2";
const ROUTERBOOT: &str = "# muster-script: routerboot 1";
const WIFI: &str = "Device.WiFi.";
/// Boards have a device-mode with a list of versions from here on (routeros.md section 9).
const MODES: RosVersion = RosVersion::release(7, 17, 0);
/// The list that they have.
const ALLOWED: &str = "7.13+,6.49.8+";

/// What the main package of RouterOS 6 consists of.
const PARTS: [&str; 10] = [
    "system",
    "advanced-tools",
    "dhcp",
    "hotspot",
    "ipv6",
    "mpls",
    "ppp",
    "routing",
    "security",
    "wireless",
];

/// What a device has besides its configuration.
pub(crate) struct Firmware {
    /// All of the version that runs.
    packages: Vec<Cow<'static, str>>,
    /// RouterBOOT.
    booter: RosVersion,
    /// RouterBOOT that was written, and runs after the next boot.
    written: Option<RosVersion>,
    /// What scripts have left in the log since the boot.
    pub(crate) log: Option<Box<str>>,
}

impl Firmware {
    /// As it comes out of its box.
    pub(crate) fn new(identity: &Identity) -> Self {
        let (profile, version) = (identity.profile(), identity.first_version());
        let mut packages = vec![Cow::Borrowed(MAIN), Cow::Borrowed(CLIENT)];
        let driver = profile.driver.packages(&version).first();
        packages.extend(driver.map(|&name| Cow::Borrowed(name)));
        Self { packages, booter: version, written: None, log: None }
    }

    /// Has these packages from now on, and no others.
    pub(crate) fn replace(&mut self, packages: Vec<String>) {
        self.packages = packages.into_iter().map(Cow::Owned).collect();
    }

    /// Whether one of these is installed, if there are any.
    fn has_any(&self, names: &[&str]) -> bool {
        names.is_empty() || self.packages.iter().any(|package| names.contains(&&**package))
    }

    /// Its packages as the board lists them: RouterOS 6 names the main one after its architecture,
    /// and lists what that consists of, too.
    fn listed(&self, version: &RosVersion, arch: &str) -> Vec<String> {
        let mut list: Vec<String> = self.packages.iter().map(|name| name.to_string()).collect();
        if version.major() < 7 {
            for name in list.iter_mut().filter(|name| name.as_str() == MAIN) {
                *name = format!("{MAIN}-{arch}");
            }
            let parts = PARTS.iter().filter(|part| !self.has_any(&[**part]));
            list.extend(parts.map(|part| (*part).to_owned()));
        }
        list
    }

    /// At each boot.
    pub(crate) fn boot(&mut self) {
        self.booter = self.written.take().unwrap_or(self.booter);
        self.log = None;
    }
}

impl Device {
    /// The version that runs.
    pub(crate) fn version(&self) -> RosVersion {
        let version: Result<RosVersion, _> = self.model.value(names::VERSION).parse();
        version.unwrap_or_else(|_| self.identity.first_version())
    }

    /// Its device-mode and the versions that it lets be installed; `None` on older RouterOS.
    pub(crate) fn mode(&self) -> Option<(&'static str, &'static str)> {
        (self.version() >= MODES).then(|| (self.identity.profile().mode, ALLOWED))
    }

    /// Installs packages and reboots; `Break` when nobody will hear of it again.
    pub(crate) async fn install(&mut self, packages: &[Package]) -> ControlFlow<()> {
        let (arch, version) = (self.identity.arch(), self.version());
        let board = Board { arch, version, allowed: self.mode().map(|(_, allowed)| allowed) };
        let installed = match self.ailment {
            Ailment::Gone => return ControlFlow::Break(()),
            Ailment::Stuck => Install::Unchanged,
            _ => board.install(packages),
        };
        if let Install::System { version, packages } = installed {
            if !packages.iter().any(|name| name == CLIENT) {
                return ControlFlow::Break(());
            }
            self.model.put(names::VERSION, &version.to_string());
            self.firmware.replace(packages);
            self.fit_model();
            self.boot(Vec::new()).await;
            self.crash = match self.ailment {
                Ailment::CrashAfter(wait) if self.is_upgraded() => {
                    Some(Instant::now() + self.world.scaled(wait))
                }
                _ => None,
            };
        } else {
            self.boot(Vec::new()).await;
        }
        ControlFlow::Continue(())
    }

    /// What drives its radios now.
    pub(crate) fn air(&self) -> Air {
        let (profile, version) = (self.identity.profile(), self.version());
        let split = (version.major(), version.minor()) >= (7, 13);
        let drivers = profile.driver.packages(&version);
        let works = profile.radios > 0 && self.firmware.has_any(drivers);
        let menu = match profile.driver {
            Driver::Ax if split => "/interface/wifi",
            Driver::Ax => "/interface/wifiwave2",
            Driver::Either if split && !self.firmware.has_any(&["wireless"]) => "/interface/wifi",
            Driver::System | Driver::Wireless | Driver::Either => "/interface/wireless",
        };
        Air { menu: works.then_some(menu), split }
    }

    /// Carries out the two scripts that Muster ships and that ask more of RouterOS than
    /// [`crate::script`] understands; false for any other. They are not read: they are known by their
    /// first lines, and the device does at once what a real one does line by line.
    pub(crate) fn run_known(&mut self, script: &str) -> bool {
        let lines = match script.lines().next() {
            Some(INSPECT) => self.inspect(nonce(script)),
            Some(ROUTERBOOT) => vec![self.write_booter()],
            Some(_) | None => return false,
        };
        let lines: Vec<String> = lines.iter().map(|line| format!("script,info {line}")).collect();
        self.write_log(&lines);
        true
    }

    /// Writes the RouterBOOT that the system brings.
    fn write_booter(&mut self) -> String {
        let (runs, brings) = (self.firmware.booter, self.version());
        if runs == brings {
            return format!("muster-routerboot: {runs} is up to date");
        }
        self.firmware.written = Some(brings);
        format!("muster-routerboot: {runs} becomes {brings} at the next start")
    }

    /// The lines that an inspection leaves in the log.
    fn inspect(&self, nonce: &str) -> Vec<String> {
        let (profile, version) = (self.identity.profile(), self.version());
        let packages = self.firmware.listed(&version, profile.arch);
        let mut said = vec![format!("begin=2/{nonce}")];
        said.extend(packages.iter().map(|name| format!("package={name}/{version}/on")));
        said.push(format!("arch={}", profile.arch));
        said.push(format!("board={}", profile.board));
        said.push(format!("board-name={}", profile.product_class));
        said.push(format!("booter-current={}", self.firmware.booter));
        said.push(format!("booter-upgrade={version}"));
        if let Some((mode, allowed)) = self.mode() {
            said.push(format!("mode={mode}"));
            said.push(format!("allowed={allowed}"));
            said.push("any=false".to_owned());
        }
        said.push(format!("end={}/{nonce}", packages.len()));
        said.iter().map(|line| format!("{MARK} {line}|")).collect()
    }

    /// Whether it runs something newer than at first.
    fn is_upgraded(&self) -> bool {
        self.version() > self.identity.first_version()
    }

    /// Makes the data model what this firmware makes of it: no radios without their driver, and
    /// what ails the device after an upgrade, which a downgrade heals.
    pub(crate) fn fit_model(&mut self) {
        let drivers = self.identity.profile().driver.packages(&self.version());
        self.model.hide((!self.firmware.has_any(drivers)).then_some(WIFI));
        if !matches!(self.ailment, Ailment::WanDown | Ailment::Weak) {
            return;
        }
        let base = Arc::clone(&self.world.bases[self.identity.profile_index]);
        let mut healthy = Model::new(base);
        household::furnish(&mut healthy, &self.identity);
        for prefix in household::SYMPTOMS {
            self.model.restore(prefix, &healthy);
        }
        if self.is_upgraded() {
            match self.ailment {
                Ailment::WanDown => household::cut_off(&mut self.model),
                _ => household::weaken(&mut self.model),
            }
        }
    }
}

/// The word in the script of an inspection by which its report is told from others.
fn nonce(script: &str) -> &str {
    let said = script.lines().find_map(|line| line.trim_start().strip_prefix(":local nonce \""));
    said.and_then(|said| said.split('"').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn routeros_6_lists_the_parts_of_its_main_package() {
        let mut fleet = (0..).map(|index| Identity::derive(1, index));
        let old = fleet.find(|identity| identity.version.starts_with('6')).unwrap();
        let listed = Firmware::new(&old).listed(&old.first_version(), "arm");
        assert_eq!(listed[..3], ["routeros-arm", "tr069-client", "system"]);
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len());

        let new = fleet.find(|identity| identity.version == "7.16.1").unwrap();
        let listed = Firmware::new(&new).listed(&new.first_version(), "arm64");
        assert_eq!(listed[..2], ["routeros", "tr069-client"]);
        assert!(listed.len() <= 3);
    }

    #[test]
    fn a_booter_that_was_written_runs_from_the_next_boot_on() {
        let identity = Identity::derive(1, 0);
        let mut firmware = Firmware::new(&identity);
        let newer = RosVersion::release(7, 99, 0);
        firmware.boot();
        assert_eq!(firmware.booter, identity.first_version());
        firmware.written = Some(newer);
        firmware.log = Some("x".into());
        firmware.boot();
        firmware.boot();
        assert_eq!((firmware.booter, firmware.log), (newer, None));
    }
}
