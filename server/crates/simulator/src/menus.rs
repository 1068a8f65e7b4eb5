//! The configuration of one board: items by menu.
//!
//! Pure. A board that nobody has touched shares all of it with the others of its model; one that
//! somebody has touched has the menus and items of its own that differ, and shares the rest. What an
//! item's properties mean is [`crate::board`]'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::profile::Profile;

/// Items of one menu.
const MAX_ITEMS: usize = 1_000;

/// Values by name.
pub(crate) type Properties = BTreeMap<String, String>;

/// One line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its number in the menu, never given twice; scripts see it as `*1F`.
    pub(crate) id: u32,
    /// That the board comes with it.
    pub(crate) given: Option<Arc<Given>>,
    /// What it has; of a given item what differs from how it was given.
    pub(crate) properties: Properties,
}

/// An item that the board comes with: it can be changed, not removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// What stands between `set` and the properties in an export; empty where the menu is but this
    /// one item.
    pub(crate) handle: String,
    /// As it comes.
    pub(crate) properties: Properties,
}

impl Item {
    /// What it has of this name.
    pub(crate) fn own(&self, name: &str) -> Option<&str> {
        let given = || self.given.as_ref()?.properties.get(name);
        self.properties.get(name).or_else(given).map(String::as_str)
    }

    /// Whether the menu is but this item.
    pub(crate) fn is_single(&self) -> bool {
        self.given.as_ref().is_some_and(|given| given.handle.is_empty())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Menu {
    items: Vec<Arc<Item>>,
    last: u32,
}

/// All menus of a board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    menus: Arc<BTreeMap<Arc<str>, Arc<Menu>>>,
}

impl Configuration {
    /// What a board of this model has without any configuration.
    pub(crate) fn blank(profile: &Profile) -> Self {
        let mut blank = Self::default();
        for single in ["/system/identity", "/ip/dns", "/tr069-client"] {
            blank.give(single, "", &[]);
        }
        if let Some(client) = blank.edit("/tr069-client", 1) {
            client.properties.insert("enabled".to_owned(), "yes".to_owned());
        }
        for port in 1..=profile.ports {
            blank.give_interface("/interface/ethernet", &format!("ether{port}"), &[]);
        }
        let bands = [("2ghz-b/g/n", "2ghz-n,2ghz-ax"), ("5ghz-a/n/ac", "5ghz-ac,5ghz-ax")];
        for (radio, (band, bands)) in (1..=profile.radios).zip(bands) {
            blank.give_interface("/interface/wireless", &format!("wlan{radio}"), &[("band", band)]);
            let wifi = format!("wifi{radio}");
            blank.give_interface("/interface/wifi", &wifi, &[]);
            blank.give("/interface/wifi/radio", "-", &[("interface", &wifi), ("bands", bands)]);
        }
        if profile.lte {
            blank.give_interface("/interface/lte", "lte1", &[]);
        }
        let default = [("default", "yes"), ("name", "default")];
        for menu in ["/interface/wireless/security-profiles", "/ppp/profile"] {
            blank.give(menu, "[ find default=yes ]", &default);
        }
        blank.give("/ppp/profile", "default-encryption", &[("name", "default-encryption")]);
        blank.give(
            "/snmp/community",
            "[ find default=yes ]",
            &[("default", "yes"), ("name", "public")],
        );
        blank.give("/user", "admin", &[("group", "full"), ("name", "admin")]);
        for service in ["telnet", "ftp", "www", "ssh", "www-ssl", "api", "winbox", "api-ssl"] {
            blank.give("/ip/service", service, &[("name", service)]);
        }
        blank
    }

    fn give_interface(&mut self, menu: &str, name: &str, more: &[(&str, &str)]) {
        let named = [&[("default-name", name), ("name", name)][..], more].concat();
        self.give(menu, &format!("[ find default-name={name} ]"), &named);
    }

    fn give(&mut self, menu: &str, handle: &str, properties: &[(&str, &str)]) {
        let properties =
            properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let given = Given { handle: handle.to_owned(), properties };
        self.put(menu, None, Some(Arc::new(given)), Properties::new());
    }

    /// All menus with their items, sorted by path.
    pub(crate) fn menus(&self) -> impl Iterator<Item = (&str, &[Arc<Item>])> {
        self.menus.iter().map(|(path, menu)| (&**path, menu.items.as_slice()))
    }

    /// The items of a menu, in its order.
    pub(crate) fn items(&self, menu: &str) -> &[Arc<Item>] {
        self.menus.get(menu).map_or(&[], |menu| &menu.items)
    }

    /// One item.
    pub(crate) fn item(&self, menu: &str, id: u32) -> Option<&Arc<Item>> {
        self.items(menu).iter().find(|item| item.id == id)
    }

    /// Adds an item, at a position or at the end; its id. None where the menu is full.
    pub(crate) fn add(
        &mut self,
        menu: &str,
        at: Option<usize>,
        properties: Properties,
    ) -> Option<u32> {
        (self.items(menu).len() < MAX_ITEMS).then(|| self.put(menu, at, None, properties))
    }

    /// The only item of a menu that is but one; makes it in a menu that has none.
    pub(crate) fn single(&mut self, menu: &str) -> Option<u32> {
        if self.items(menu).is_empty() {
            self.give(menu, "", &[]);
        }
        self.items(menu).first().filter(|item| item.is_single()).map(|item| item.id)
    }

    fn put(
        &mut self,
        menu: &str,
        at: Option<usize>,
        given: Option<Arc<Given>>,
        properties: Properties,
    ) -> u32 {
        let menus = Arc::make_mut(&mut self.menus);
        let menu = Arc::make_mut(menus.entry(menu.into()).or_default());
        menu.last += 1;
        let item = Arc::new(Item { id: menu.last, given, properties });
        let at = at.unwrap_or(menu.items.len()).min(menu.items.len());
        menu.items.insert(at, item);
        menu.last
    }

    /// An item to change: from here on the board has one of its own.
    pub(crate) fn edit(&mut self, menu: &str, id: u32) -> Option<&mut Item> {
        let at = self.items(menu).iter().position(|item| item.id == id)?;
        let menu = Arc::make_mut(Arc::make_mut(&mut self.menus).get_mut(menu)?);
        menu.items.get_mut(at).map(Arc::make_mut)
    }

    /// Removes an item, if there is one.
    pub(crate) fn remove(&mut self, menu: &str, id: u32) {
        if self.item(menu, id).is_some()
            && let Some(menu) = Arc::make_mut(&mut self.menus).get_mut(menu)
        {
            Arc::make_mut(menu).items.retain(|item| item.id != id);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::profile::PROFILES;

    #[test]
    fn a_board_has_only_what_differs_of_its_own() {
        let base = Configuration::blank(&PROFILES[1]);
        let mut board = base.clone();
        assert!(Arc::ptr_eq(&base.menus, &board.menus));
        let ports = board.items("/interface/ethernet").to_vec();
        board
            .edit("/interface/ethernet", ports[1].id)
            .unwrap()
            .properties
            .insert("x".into(), "y".into());
        let shared = |menu: &str| Arc::ptr_eq(&base.menus[menu], &board.menus[menu]);
        assert!(shared("/ip/service") && !shared("/interface/ethernet"));
        assert!(Arc::ptr_eq(&ports[0], &board.items("/interface/ethernet")[0]));
        assert_eq!(base.items("/interface/ethernet")[1].own("x"), None);
        assert_eq!(board.items("/interface/ethernet")[1].own("x"), Some("y"));
    }

    #[test]
    fn ids_are_never_given_twice_and_full_is_full() {
        let mut board = Configuration::blank(&PROFILES[0]);
        let first = board.add("/ip/pool", None, Properties::new()).unwrap();
        board.remove("/ip/pool", first);
        assert_eq!(board.items("/ip/pool").len(), 0);
        for _ in 0..MAX_ITEMS {
            assert_ne!(board.add("/ip/pool", Some(0), Properties::new()).unwrap(), first);
        }
        assert_eq!(board.add("/ip/pool", None, Properties::new()), None);
        assert_eq!(board.single("/ip/pool"), None);
        assert!(board.single("/ip/upnp").is_some());
    }
}
