//! From the boot loader to the device: a board starts with what it was given.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use muster_netboot::netinstall::{File, SCRIPT};
use muster_routeros::arch::Arch;
use muster_routeros::npk;
use muster_routeros::package::{CLIENT, MAIN};
use muster_routeros::version::RosVersion;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::BoardStats;
use crate::World;
use crate::configuration::Factory;
use crate::device::Device;
use crate::doors::Door;
use crate::manifest::Package;
use crate::profile::Identity;
use crate::script::names;

/// What a board was given.
#[derive(Debug)]
pub(super) enum Given {
    /// A script: it runs on the default configuration, again after each reset.
    Script(String),
    /// A system with its packages, on an empty disk, and perhaps a script in place of the default
    /// configuration.
    System(Vec<File>),
}

/// A board that starts.
pub(super) struct Start {
    pub(super) world: Arc<World>,
    pub(super) index: u32,
    pub(super) identity: Identity,
    pub(super) door: Arc<Door>,
    pub(super) tell: Arc<watch::Sender<BoardStats>>,
}

impl Start {
    /// Starts, runs what it was given, and lives as a device until `shutdown`.
    pub(super) async fn live(self, given: Given, shutdown: CancellationToken) {
        let Self { world, index, identity, door, tell } = self;
        let start = tokio::time::sleep(world.options.reboot_time);
        if shutdown.run_until_cancelled(start).await.is_none() {
            return;
        }
        let mac = identity.mac(1);
        let mut device = Device::new(world, index, identity, Arc::clone(&door));
        match begin(&mut device, given) {
            Ok(()) => device.live(Duration::ZERO, shutdown).await,
            Err(words) => {
                tracing::warn!(board.mac = %mac, "simulated board informs nobody: {words}");
                tell.send_modify(|stats| stats.silent += 1);
                door.close();
            }
        }
    }
}

/// Has a device start with what it was given; why it will inform nobody.
fn begin(device: &mut Device, given: Given) -> Result<(), String> {
    device.factory = match given {
        Given::Script(script) => Factory::Stored(script),
        Given::System(files) => {
            let (version, packages) = system(&files, device.identity.arch())?;
            if !packages.iter().any(|name| name == CLIENT) {
                return Err(format!("it was installed without the package {CLIENT}"));
            }
            device.model.preset(names::VERSION, &version.to_string());
            device.firmware.replace(packages);
            match files.iter().find(|file| file.name == SCRIPT) {
                Some(file) => {
                    Factory::Replaced(String::from_utf8_lossy(&file.content).into_owned())
                }
                None => Factory::Stored(String::new()),
            }
        }
    };
    if device.reset().is_break() {
        return Err("no script of it names an ACS".to_owned());
    }
    Ok(())
}

/// The system that boots from these files: its version, and the packages of it.
fn system(files: &[File], arch: Arch) -> Result<(RosVersion, Vec<String>), String> {
    let mut packages = Vec::new();
    for file in files.iter().filter(|file| file.name != SCRIPT) {
        let header = npk::read(Cursor::new(&*file.content));
        let header = header.map_err(|error| format!("{}: {error}", file.name))?;
        packages.push(Package::new(&file.name, &header).map_err(|error| error.to_string())?);
    }
    packages.retain(|package| package.arch == arch);
    let main = packages.iter().find(|package| package.name == MAIN);
    let version =
        main.ok_or_else(|| format!("there is no system for {arch} among its files"))?.version;
    let system = packages.iter().filter(|package| package.version == version);
    Ok((version, system.map(|package| package.name.clone()).collect()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{FleetOptions, Ground, packages};

    const SCRIPT_TEXT: &str = ":delay 5s\n/system identity set name=\"from the bench\"\n\
        /tr069-client set acs-url=\"http://192.0.2.1/acs\" username=u password=\"p w\" enabled=yes\n";

    async fn device() -> Device {
        let ground = Ground::open(FleetOptions::new(1, "")).await.unwrap();
        let (identity, door) = ground.place(0);
        Device::new(Arc::clone(&ground.world), 0, identity, door)
    }

    fn value<'d>(device: &'d Device, name: &str) -> &'d str {
        device.model.value(name)
    }

    #[tokio::test]
    async fn a_script_runs_on_the_default_configuration_and_again_after_a_reset() {
        let mut device = device().await;
        assert_eq!(begin(&mut device, Given::Script(SCRIPT_TEXT.to_owned())), Ok(()));
        for _ in 0..2 {
            assert_eq!(value(&device, names::URL), "http://192.0.2.1/acs");
            assert_eq!(value(&device, names::USERNAME), "u");
            assert_eq!(value(&device, names::PASSWORD), "p w");
            assert_eq!(value(&device, names::IDENTITY), "from the bench");
            assert!(!device.configuration.items("/ip/dhcp-server").is_empty());
            assert!(device.is_reachable());
            device.model.put(names::IDENTITY, "by hand");
            assert!(device.reset().is_continue());
        }
    }

    #[tokio::test]
    async fn one_that_names_no_acs_informs_nobody() {
        let mut device = device().await;
        let script = Given::Script("/system identity set name=x\n".to_owned());
        assert!(begin(&mut device, script).unwrap_err().contains("names an ACS"));
        assert_eq!(value(&device, names::IDENTITY), "x");
    }

    #[tokio::test]
    async fn an_installation_brings_its_version_and_its_packages_and_no_default_configuration() {
        let mut device = device().await;
        let (arch, version) = (device.identity.arch(), RosVersion::release(7, 99, 1));
        let file = |name: &str| {
            let (name, content) = packages::file(name, &version, arch, 100);
            File { name, content: content.into() }
        };
        let script = File { name: SCRIPT.to_owned(), content: SCRIPT_TEXT.as_bytes().into() };
        let files = vec![file(MAIN), file(CLIENT), script];
        assert_eq!(begin(&mut device, Given::System(files.clone())), Ok(()));
        assert_eq!(value(&device, names::VERSION), "7.99.1");
        assert_eq!(value(&device, names::IDENTITY), "from the bench");
        assert!(device.configuration.items("/ip/dhcp-server").is_empty());
        assert!(device.is_reachable());

        for (what, files) in [
            ("names an ACS", &files[..2]),
            ("without the package", [files[0].clone(), files[2].clone()].as_slice()),
            ("no system", &files[1..]),
        ] {
            let refused = begin(&mut device, Given::System(files.to_vec()));
            assert!(refused.unwrap_err().contains(what), "{what}");
        }
        let mut broken = files;
        broken[0].content = b"nothing".as_slice().into();
        assert!(begin(&mut device, Given::System(broken)).is_err());
    }
}
