//! A device's whole configuration: from the factory, from a script, and back out as a document.

use std::ops::ControlFlow;
use std::sync::Arc;

use rand::RngExt;

use crate::board::{Air, Backups, Board};
use crate::catalogue::Catalogue;
use crate::device::Device;
use crate::household;
use crate::menus::Configuration;
use crate::model::Model;
use crate::profile::{Identity, PROFILES};
use crate::script::{self, names};
use crate::transfer::Document;

/// The configuration that boards leave the factory with, as far as anything here depends on it.
const DEFAULTS: &str = include_str!("defaults.rsc");

/// What a board runs at its first start, and again after each reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Factory {
    /// What points it at the ACS of its fleet, on MikroTik's default configuration.
    Fleet,
    /// What its boot loader was given and has stored, on MikroTik's default configuration.
    Stored(String),
    /// What stands in place of MikroTik's: put there by the ACS, or by an installation.
    Replaced(String),
}

/// The configurations that boards of one model begin with.
pub(crate) struct Beginnings {
    /// Nothing but the hardware.
    pub(crate) blank: Configuration,
    /// MikroTik's default configuration.
    pub(crate) defaults: Configuration,
}

impl Beginnings {
    /// Those of the model at this position of [`PROFILES`].
    pub(crate) fn new(profile_index: usize, catalogue: &Arc<Catalogue>) -> Self {
        let blank = Configuration::blank(&PROFILES[profile_index]);
        let mut defaults = blank.clone();
        let identity = Identity { profile_index, ..Identity::derive(0, 0) };
        let done = script::run(
            DEFAULTS,
            &mut Board {
                model: &mut Model::new(Arc::clone(catalogue)),
                configuration: &mut defaults,
                backups: &mut Backups::new(),
                identity: &identity,
                air: Air { menu: None, split: true },
                status: "disabled",
                mode: None,
                log: Vec::new(),
                effect: None,
            },
        );
        debug_assert_eq!(done, Ok(()));
        Self { blank, defaults }
    }
}

impl Device {
    /// What an Upload sends.
    pub(crate) fn print(&mut self, document: Document) -> String {
        let time = self.log_time();
        match document {
            Document::Export => self.board().export(&time),
            Document::Log => {
                let log = script::log(&self.model, self.failures, &time);
                log + self.firmware.log.as_deref().unwrap_or_default()
            }
            Document::Factory => self.factory_script(),
        }
    }

    /// The device's clock, as it writes it into texts.
    pub(crate) fn log_time(&self) -> String {
        self.now().format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// What a factory reset runs.
    pub(crate) fn factory_script(&self) -> String {
        let options = &self.world.options;
        let interval = options.periodic_interval.as_secs().max(1);
        match &self.factory {
            Factory::Fleet => {
                script::factory(&options.acs_url, &options.username, &options.password, interval)
            }
            Factory::Stored(script) | Factory::Replaced(script) => script.clone(),
        }
    }

    /// Replaces the whole configuration by a script on an empty one; `Break` when the new one names
    /// no ACS.
    pub(crate) fn overwrite(&mut self, script: &str) -> ControlFlow<()> {
        let blank = self.beginnings().blank.clone();
        self.reconfigure(script, blank)
    }

    /// Goes back to how it left the factory, or to what the ACS has put in place of that; `Break` as
    /// [`Self::overwrite`].
    pub(crate) fn reset(&mut self) -> ControlFlow<()> {
        let script = self.factory_script();
        let beginning = self.first_configuration();
        self.reconfigure(&script, beginning)
    }

    fn reconfigure(&mut self, script: &str, beginning: Configuration) -> ControlFlow<()> {
        let version = self.model.value(names::VERSION).to_owned();
        self.configure(script, &version, beginning);
        if self.model.value(names::URL).is_empty() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn beginnings(&self) -> &Beginnings {
        &self.world.beginnings[self.identity.profile_index]
    }

    /// What its factory script runs on.
    pub(crate) fn first_configuration(&self) -> Configuration {
        let Beginnings { blank, defaults } = self.beginnings();
        match self.factory {
            Factory::Replaced(_) => blank.clone(),
            Factory::Fleet | Factory::Stored(_) => defaults.clone(),
        }
    }

    /// Factory state, then the script on this configuration, on this RouterOS version.
    pub(crate) fn configure(&mut self, script: &str, version: &str, beginning: Configuration) {
        let (identity, profile) = (&self.identity, self.identity.profile());
        let mut model = Model::new(Arc::clone(&self.world.bases[identity.profile_index]));
        let request_url = format!("http://{}/{}", self.world.listen, identity.request_path);
        // The client invents both when it is first enabled.
        let user = format!("{:08x}", self.rng.random::<u32>());
        let password = format!("{:016x}", self.rng.random::<u64>());
        let memory = profile.memory.to_string();
        for (name, value) in [
            ("Device.DeviceInfo.ManufacturerOUI", identity.oui),
            ("Device.DeviceInfo.ModelName", profile.board),
            ("Device.DeviceInfo.Description", "RouterOS"),
            ("Device.DeviceInfo.ProductClass", profile.product_class),
            ("Device.DeviceInfo.SerialNumber", identity.serial.as_str()),
            ("Device.DeviceInfo.X_MIKROTIK_ArchName", profile.arch),
            ("Device.DeviceInfo.MemoryStatus.Total", memory.as_str()),
            (names::VERSION, version),
            (names::REQUEST_URL, request_url.as_str()),
            (names::REQUEST_USERNAME, user.as_str()),
            (names::REQUEST_PASSWORD, password.as_str()),
        ] {
            model.preset(name, value);
        }
        let rate = profile.port_mbit.to_string();
        for port in 1..=profile.ports {
            let name = |name: &str| format!("Device.Ethernet.Interface.{port}.{name}");
            model.preset(&name("MACAddress"), &identity.mac(port));
            model.preset(&name("CurrentBitRate"), &rate);
        }
        household::furnish(&mut model, identity);
        self.model = model;
        self.is_plain = beginning.items("/ip/dhcp-client").is_empty();
        self.configuration = beginning;
        let (done, log) = {
            let mut board = self.board();
            (script::run(script, &mut board), board.log)
        };
        self.write_log(&log);
        if let Err(error) = done {
            tracing::warn!(device.serial = %self.identity.serial, %error, "factory script failed");
        }
        self.model.acknowledge_changes();
        self.fit_model();
        self.sync_door();
        self.alarms.clear();
    }
}
