//! A device's whole configuration: from the factory, from a script, and back out as a document.

use std::ops::ControlFlow;
use std::sync::Arc;

use rand::RngExt;

use crate::device::Device;
use crate::household;
use crate::model::Model;
use crate::script::{self, names};
use crate::transfer::Document;

impl Device {
    /// What an Upload sends.
    pub(crate) fn print(&self, document: Document) -> String {
        let time = self.log_time();
        match document {
            Document::Export => script::export(&self.model, &self.identity, &time),
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
        self.factory.clone().unwrap_or_else(|| {
            script::factory(&options.acs_url, &options.username, &options.password, interval)
        })
    }

    /// Replaces the whole configuration; `Break` when the new one names no ACS.
    pub(crate) fn reconfigure(&mut self, script: &str) -> ControlFlow<()> {
        let version = self.model.value(names::VERSION).to_owned();
        self.configure(script, &version);
        if self.model.value(names::URL).is_empty() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Factory state, then the script, on this RouterOS version.
    pub(crate) fn configure(&mut self, script: &str, version: &str) {
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
        script::apply(script, &mut model);
        model.acknowledge_changes();
        self.model = model;
        self.fit_model();
        self.sync_door();
    }
}
