//! One board on a desk: no clock and no network, for those who try scripts on it.
//!
//! Pure.

use std::sync::Arc;

use crate::board::{Air, Backups, Board};
use crate::catalogue::Catalogue;
use crate::configuration::Beginnings;
use crate::doors::Typed;
use crate::menus::Configuration;
use crate::model::Model;
use crate::profile::Identity;
use crate::script;

/// The model: five ports, two radios.
const PROFILE: usize = 1;

/// What drives the radios, and so the menu in which they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Radios {
    /// `/interface/wifi`
    Wifi,
    /// `/interface/wireless`
    Wireless,
    /// `/interface/wifiwave2`, of RouterOS 7.12 and before.
    Wifiwave2,
    /// None that work.
    None,
}

/// A board.
pub struct Desk {
    model: Model,
    configuration: Configuration,
    backups: Backups,
    identity: Identity,
    air: Air,
}

impl Desk {
    /// With MikroTik's default configuration.
    pub fn new(radios: Radios) -> Self {
        let identity = Identity { profile_index: PROFILE, ..Identity::derive(1, 1) };
        let catalogue = Arc::new(Catalogue::new(identity.profile()));
        let menu = match radios {
            Radios::Wifi => Some("/interface/wifi"),
            Radios::Wireless => Some("/interface/wireless"),
            Radios::Wifiwave2 => Some("/interface/wifiwave2"),
            Radios::None => None,
        };
        Self {
            configuration: Beginnings::new(PROFILE, &catalogue).defaults,
            model: Model::new(catalogue),
            backups: Backups::new(),
            identity,
            air: Air { menu, split: radios != Radios::Wifiwave2 },
        }
    }

    fn on<T>(&mut self, work: impl FnOnce(&mut Board<'_>) -> T) -> (T, Vec<String>) {
        let mut board = Board {
            model: &mut self.model,
            configuration: &mut self.configuration,
            backups: &mut self.backups,
            identity: &self.identity,
            air: self.air,
            status: "running",
            mode: None,
            log: Vec::new(),
            effect: None,
        };
        let done = work(&mut board);
        (done, board.log)
    }

    /// Runs a script, and tells what became of it. What it orders for after its end, such as a restart,
    /// is not done.
    pub fn run(&mut self, text: &str) -> Typed {
        let (done, log) = self.on(|board| script::run(text, board));
        Typed { log, error: done.err() }
    }

    /// What `/export` prints.
    pub fn export(&mut self) -> String {
        self.on(|board| board.export("2026-11-22 10:00:00")).0
    }
}
