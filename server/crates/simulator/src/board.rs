//! What a script sees of a board: its menus, and how they hang together with its data model.
//!
//! Pure. Owns which property is which parameter: such a property is not kept in the configuration,
//! but read from the data model and written to it, so that the two cannot differ. Also what a board
//! refuses: names that are taken, interfaces that are not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::menus::{Configuration, Item, Properties};
use crate::model::Model;
use crate::profile::Identity;
use crate::script::names;
use crate::script::value::fits;

mod link;

pub(crate) use link::linked;

/// Lines that one script may write into the log.
const MAX_LOG: usize = 500;
/// Backups that are kept on a board.
const MAX_BACKUPS: usize = 4;
/// How their files end.
const BACKUP: &str = ".backup";
/// What the default configuration has where each board has an address of its own.
pub(crate) const OWN_MAC: &str = "own";

/// What `/system backup save` has kept, by name.
pub(crate) type Backups = BTreeMap<String, Box<(Model, Configuration)>>;

/// What drives the radios, and which menus there are for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Air {
    /// The menu in which the radios are; none without radios that work.
    pub(crate) menu: Option<&'static str>,
    /// RouterOS 7.13 or later: `/interface/wifi` is there, with or without radios.
    pub(crate) split: bool,
}

impl Air {
    /// A menu under the one name that the configuration has for it; none on a board without it.
    pub(crate) fn path(self, menu: &str) -> Option<String> {
        let below = |root: &str| {
            let rest = menu.strip_prefix(root)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        };
        let wave2 = self.menu == Some("/interface/wifiwave2");
        if let Some(rest) = below("/interface/wifiwave2") {
            return wave2.then(|| format!("/interface/wifi{rest}"));
        }
        let missing = if below("/interface/wifi").is_some() {
            !self.split
        } else if below("/interface/wireless").is_some() || below("/caps-man").is_some() {
            self.split && self.menu != Some("/interface/wireless")
        } else {
            false
        };
        (!missing).then(|| menu.to_owned())
    }

    /// The name under which this board shows a menu of the configuration; none for one that it
    /// lacks.
    pub(crate) fn shown(self, menu: &str) -> Option<String> {
        match menu.strip_prefix("/interface/wifi") {
            Some(rest) if self.menu == Some("/interface/wifiwave2") => {
                Some(format!("/interface/wifiwave2{rest}"))
            }
            _ => self.path(menu),
        }
    }

    /// Whether the radios are in this menu; all others have what they have.
    fn has_given(self, menu: &str) -> bool {
        let wifi = matches!(self.menu, Some("/interface/wifi" | "/interface/wifiwave2"));
        match menu {
            "/interface/wifi" | "/interface/wifi/radio" => wifi,
            "/interface/wireless" | "/interface/wireless/security-profiles" => {
                self.menu == Some("/interface/wireless")
            }
            _ => true,
        }
    }
}

/// What a script has ordered for after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// `/system reboot`
    Reboot,
    /// `/system reset-configuration`
    Reset,
    /// `/system backup load`
    Load(String),
}

/// What an item must have to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    /// A property.
    pub(crate) name: String,
    /// `=`, `!=` or `~`
    pub(crate) operator: &'static str,
    /// What it is compared with.
    pub(crate) value: String,
}

/// A board, as the script that runs on it sees it.
pub(crate) struct Board<'d> {
    pub(crate) model: &'d mut Model,
    pub(crate) configuration: &'d mut Configuration,
    pub(crate) backups: &'d mut Backups,
    pub(crate) identity: &'d Identity,
    pub(crate) air: Air,
    /// `/tr069-client get status`
    pub(crate) status: &'static str,
    /// The device-mode, where there is one.
    pub(crate) mode: Option<&'static str>,
    /// What the script has written into the log: topics and text.
    pub(crate) log: Vec<String>,
    pub(crate) effect: Option<Effect>,
}

impl Board<'_> {
    /// Writes a line into the log.
    pub(crate) fn say(&mut self, level: &str, text: &str) {
        if self.log.len() < MAX_LOG {
            self.log.push(format!("script,{level} {text}"));
        }
    }

    /// The items of a menu that the board has now.
    pub(crate) fn items(&self, menu: &str) -> Vec<Arc<Item>> {
        if menu == "/interface" {
            return self.interfaces();
        }
        let given = self.air.has_given(menu);
        let items = self.configuration.items(menu).iter();
        items.filter(|item| given || item.given.is_none()).cloned().collect()
    }

    /// The interfaces of all menus, as `/interface` shows them: to be found there, not to be changed.
    fn interfaces(&self) -> Vec<Arc<Item>> {
        let menus = self.configuration.menus().map(|(menu, _)| menu);
        let all = menus.filter(|menu| is_interfaces(menu)).flat_map(|menu| {
            let names = ["name", "default-name", "comment", "disabled"];
            let shown = move |item: Arc<Item>| -> Properties {
                let values = names.map(|name| (name.to_owned(), self.read(menu, &item, name)));
                values.into_iter().filter(|(_, value)| !value.is_empty()).collect()
            };
            self.items(menu).into_iter().map(shown)
        });
        let numbered = (1_u32..).zip(all);
        numbered.map(|(id, properties)| Arc::new(Item { id, given: None, properties })).collect()
    }

    /// A property of an item; empty where it has none.
    pub(crate) fn read(&self, menu: &str, item: &Item, name: &str) -> String {
        link::read(self.model, self.identity, menu, item, name)
    }

    /// What a menu tells that is no configuration.
    pub(crate) fn fact(&self, menu: &str, name: &str) -> Option<String> {
        let profile = self.identity.profile();
        let fact = match (menu, name) {
            ("/tr069-client", "status") => self.status,
            ("/system/resource", "version") => self.model.value(names::VERSION),
            ("/system/resource", "architecture-name") => profile.arch,
            ("/system/resource", "board-name") => profile.product_class,
            ("/system/routerboard", "model") => profile.board,
            ("/system/routerboard", "serial-number") => self.identity.serial.as_str(),
            ("/system/device-mode", "mode") => self.mode?,
            _ => return None,
        };
        Some(fact.to_owned())
    }

    /// The items for which all conditions hold.
    pub(crate) fn find(&self, menu: &str, conditions: &[Condition]) -> Vec<u32> {
        let holds = |item: &Item, condition: &Condition| {
            let value = self.read(menu, item, &condition.name);
            match condition.operator {
                "=" => value == condition.value,
                "!=" => value != condition.value,
                _ => fits(&value, &condition.value),
            }
        };
        let items = self.items(menu).into_iter();
        items.filter(|item| conditions.iter().all(|c| holds(item, c))).map(|item| item.id).collect()
    }

    /// Adds an item; its id, or why not.
    pub(crate) fn add(
        &mut self,
        menu: &str,
        at: Option<usize>,
        properties: &Properties,
    ) -> Result<u32, String> {
        for (name, value) in properties {
            self.check_reference(menu, name, value)?;
        }
        self.check_unique(menu, None, properties)?;
        let full = || "failure: no more space in this menu".to_owned();
        let id = self.configuration.add(menu, at, Properties::new()).ok_or_else(full)?;
        for (name, value) in properties {
            self.write(menu, id, name, value)?;
        }
        self.settle(menu, id, properties);
        Ok(id)
    }

    /// Changes an item, or says why not.
    pub(crate) fn set(&mut self, menu: &str, id: u32, changes: &Properties) -> Result<(), String> {
        let Some(item) = self.configuration.item(menu, id).cloned() else { return Ok(()) };
        for (name, value) in changes {
            self.check_reference(menu, name, value)?;
        }
        let keys = unique(menu).iter().chain(&["name"]);
        if keys.clone().any(|key| changes.contains_key(*key)) {
            let mut whole: Properties =
                keys.map(|key| ((*key).to_owned(), self.read(menu, &item, key))).collect();
            whole.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
            self.check_unique(menu, Some(id), &whole)?;
        }
        for (name, value) in changes {
            if self.read(menu, &item, name) != *value {
                self.write(menu, id, name, value)?;
            }
        }
        self.settle(menu, id, changes);
        Ok(())
    }

    /// Removes an item, or says why not.
    pub(crate) fn remove(&mut self, menu: &str, id: u32) -> Result<(), String> {
        let Some(item) = self.configuration.item(menu, id).cloned() else { return Ok(()) };
        if item.given.is_some() {
            return Err("failure: this item cannot be removed".to_owned());
        }
        let name = item.own("name").unwrap_or_default();
        if let Some(backup) = name.strip_suffix(BACKUP).filter(|_| menu == "/file") {
            self.backups.remove(backup);
        }
        self.configuration.remove(menu, id);
        self.settle(menu, id, &Properties::new());
        Ok(())
    }

    /// Keeps all that is configured now, in a file; or says why not.
    pub(crate) fn save(&mut self, name: &str) -> Result<(), String> {
        if self.backups.len() >= MAX_BACKUPS && !self.backups.contains_key(name) {
            return Err("failure: not enough space".to_owned());
        }
        let kept = Box::new((self.model.clone(), self.configuration.clone()));
        self.backups.insert(name.to_owned(), kept);
        let file = Properties::from([("name".to_owned(), format!("{name}{BACKUP}"))]);
        // One that is there already is written again.
        if self.check_unique("/file", None, &file).is_ok() {
            self.add("/file", None, &file)?;
        }
        Ok(())
    }

    fn write(&mut self, menu: &str, id: u32, name: &str, value: &str) -> Result<(), String> {
        let Some(item) = self.configuration.item(menu, id).cloned() else { return Ok(()) };
        if link::write(self.model, menu, &item, name, value)? {
            return Ok(());
        }
        if let Some(item) = self.configuration.edit(menu, id) {
            // What is as it comes needs no keeping, and an export does not show it.
            let given = item.given.as_ref().and_then(|given| given.properties.get(name));
            let default = match name {
                "disabled" => "no",
                _ => "",
            };
            if given.map_or(default, String::as_str) == value {
                item.properties.remove(name);
            } else {
                item.properties.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }

    /// What follows from a change.
    fn settle(&mut self, menu: &str, id: u32, changes: &Properties) {
        if menu == "/ip/address"
            && !changes.contains_key("network")
            && let Some(network) = changes.get("address").and_then(|address| network_of(address))
        {
            let _ = self.write(menu, id, "network", &network);
        }
        if menu == "/interface/pppoe-client" {
            let clients = self.items(menu);
            let on = clients.iter().any(|item| self.read(menu, item, "disabled") != "yes");
            link::dial(self.model, on);
        }
    }

    /// Refuses the name of an interface, a list or a pool that is not there.
    fn check_reference(&self, menu: &str, name: &str, value: &str) -> Result<(), String> {
        let known = |menu: &str| {
            let items = self.items(menu).into_iter();
            items.map(|item| self.read(menu, &item, "name")).any(|name| name == value)
        };
        let fine = match name {
            "interface" | "bridge" | "master-interface" | "in-interface" | "out-interface"
                if !value.is_empty() =>
            {
                matches!(value, "all" | "none" | "dynamic")
                    || self
                        .configuration
                        .menus()
                        .any(|(path, _)| is_interfaces(path) && known(path))
            }
            "list" if menu == "/interface/list/member" => {
                matches!(value, "all" | "none" | "dynamic" | "static") || known("/interface/list")
            }
            "in-interface-list" | "out-interface-list" => {
                let value = value.trim_start_matches('!');
                let lists = self.items("/interface/list").into_iter();
                matches!(value, "all" | "none" | "dynamic" | "static")
                    || lists
                        .map(|item| self.read("/interface/list", &item, "name"))
                        .any(|n| n == value)
            }
            "address-pool" if menu == "/ip/dhcp-server" => {
                value == "static-only" || known("/ip/pool")
            }
            _ => true,
        };
        if fine { Ok(()) } else { Err(format!("input does not match any value of {name}")) }
    }

    /// Refuses what another item of the menu has already.
    fn check_unique(&self, menu: &str, id: Option<u32>, whole: &Properties) -> Result<(), String> {
        let keys: [&[&str]; 2] = [unique(menu), &["name"]];
        for key in keys.into_iter().filter(|key| !key.is_empty()) {
            let wanted: Vec<&str> =
                key.iter().filter_map(|name| whole.get(*name)).map(String::as_str).collect();
            let same = |item: &Arc<Item>| {
                Some(item.id) != id
                    && key
                        .iter()
                        .zip(&wanted)
                        .all(|(name, value)| self.read(menu, item, name) == *value)
            };
            if wanted.len() == key.len()
                && wanted.iter().all(|value| !value.is_empty())
                && self.items(menu).iter().any(same)
            {
                let what = menu.rsplit('/').next().unwrap_or(menu);
                return Err(format!("failure: already have such {what}"));
            }
        }
        Ok(())
    }
}

/// What, beside a name, no two items of a menu have in common.
fn unique(menu: &str) -> &'static [&'static str] {
    match menu {
        "/interface/bridge/port" | "/ip/dhcp-client" | "/ip/dhcp-server" => &["interface"],
        "/interface/list/member" => &["interface", "list"],
        "/ip/address" => &["address", "interface"],
        "/ip/dhcp-server/network" => &["address"],
        "/ip/upnp/interfaces" => &["interface"],
        _ => &[],
    }
}

/// Whether the items of a menu are interfaces: `/interface/bridge`, not `/interface/bridge/port`.
fn is_interfaces(path: &str) -> bool {
    let below = path.strip_prefix("/interface/");
    below.is_some_and(|name| !name.contains('/') && name != "list")
}

/// `192.168.88.1/24` to `192.168.88.0`.
fn network_of(address: &str) -> Option<String> {
    let (address, bits) = address.split_once('/').unwrap_or((address, "32"));
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let bits = bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some(std::net::Ipv4Addr::from(u32::from(address) & mask).to_string())
}
