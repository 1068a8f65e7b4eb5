//! How a device is now: all of the page that changes while one looks. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::address;
use super::edit::{Choice, Edit};
use super::words::{ClientRow, Line};
use crate::service::support::{Client, Errand, Internet, Network, Protection, View, What};
use crate::web::form::Complaints;
use crate::web::format::When;

/// It answers nearly everywhere.
const PING: &str = "1.1.1.1";

/// How a device is now. Like its parts it is never printed: it may hold a password.
#[derive(Serialize)]
pub(super) struct Now {
    id: Uuid,
    /// Where this is asked for again.
    here: String,
    name: String,
    serial: String,
    /// Model and version, in one line.
    make: String,
    online: bool,
    last_inform: When,
    started: Option<When>,
    /// Address and how it came by it, whether the line is up, and the speed of its port.
    internet: String,
    line: &'static str,
    port: String,
    networks: Vec<NetworkCard>,
    clients: Vec<ClientRow>,
    read: Option<When>,
    look: Option<Line>,
    reboot: Option<Line>,
    ping: Option<Line>,
    may_reboot: bool,
    may_ping: bool,
    /// Those that may be pinged; empty = any.
    hosts: Vec<Choice>,
    /// As it stands in the form.
    host: String,
    host_errors: Complaints,
    /// What the role tells agents, paragraph by paragraph.
    notes: Vec<String>,
}

/// A Wi-Fi network.
#[derive(Serialize)]
struct NetworkCard {
    key: String,
    name: String,
    /// `5 GHz, channel 36`.
    radio: String,
    enabled: bool,
    password: PasswordCell,
    may_change: bool,
    edit: Option<Edit>,
    errand: Option<Line>,
}

/// What of a password is shown.
#[derive(Serialize)]
pub(super) struct PasswordCell {
    device: Uuid,
    network: String,
    /// Of this password: another one is another element, so that none is shown that is old.
    id: String,
    /// `open`, `other`, `known` or `unknown`.
    state: &'static str,
    since: Option<When>,
    /// In clear, once somebody asked for it; empty otherwise.
    revealed: String,
}

impl PasswordCell {
    /// Of a network; `revealed` is empty unless somebody asked for it.
    pub(super) fn new(
        device: Uuid,
        network: &Network,
        revealed: String,
        now: DateTime<Utc>,
    ) -> Self {
        let since = network.password_known_since;
        let state = match (network.protection, since) {
            (Protection::Open, _) => "open",
            (Protection::Other, _) => "other",
            (Protection::Password, Some(_)) => "known",
            (Protection::Password, None) => "unknown",
        };
        let version = since.map_or(0, |at| at.timestamp_micros());
        Self {
            device,
            network: network.network.clone(),
            id: format!("password-{}-{version}", network.network),
            state,
            since: since.map(|at| When::new(at, now)),
            revealed,
        }
    }
}

/// What of one network is shown apart from the usual.
#[derive(Default)]
pub(super) struct Apart {
    /// Which one.
    pub(super) network: String,
    /// Its form is open.
    pub(super) edit: Option<Edit>,
    /// Its password, in clear.
    pub(super) revealed: String,
    /// Where a ping was to go, and what is wrong with that.
    pub(super) ping: Option<(String, Complaints)>,
}

impl Apart {
    /// A network whose form is open, if there is one of this name.
    pub(super) fn editing(view: &View, key: &str) -> Self {
        let network = view.networks.iter().find(|network| network.network == key);
        Self { network: key.to_owned(), edit: network.and_then(Edit::of), ..Self::default() }
    }
}

impl Now {
    /// Of a device.
    pub(super) fn new(view: &View, apart: Apart, now: DateTime<Utc>) -> Self {
        let id = view.device.device_id;
        let line = |errand: &Errand| Line::of(errand, view.online, now);
        let errand = |what| view.errand(what, None).map(line);
        let editing = apart.edit.is_some();
        let here = if editing { format!("/now?edit={}", apart.network) } else { "/now".to_owned() };
        let name_of = |key: &str| {
            let network = view.networks.iter().find(|network| network.network == key);
            network.map(|network| network.name.as_str())
        };
        let client =
            |client: &Client| ClientRow::of(client, client.network.as_deref().and_then(name_of));
        let networks: Vec<NetworkCard> =
            view.networks.iter().map(|network| card(view, network, &apart, now)).collect();
        let hosts = view.ping_hosts.as_deref().unwrap_or_default();
        let ping = apart.ping.unwrap_or_else(|| (first_host(hosts), Complaints::default()));
        Self {
            id,
            here: address(id, &here),
            name: view.name.clone(),
            serial: view.device.serial.clone(),
            make: make(view),
            online: view.online,
            last_inform: When::new(view.device.last_inform, now),
            started: view.started_at.map(|at| When::new(at, now)),
            internet: internet(&view.internet),
            line: up(view.internet.up),
            port: view.internet.port_mbit.map(|mbit| format!("{mbit} Mbit/s")).unwrap_or_default(),
            networks,
            clients: view.clients.iter().map(client).collect(),
            read: view.read_at.map(|at| When::new(at, now)),
            look: errand(What::Look),
            reboot: errand(What::Reboot),
            ping: errand(What::Ping),
            may_reboot: view.may_reboot,
            may_ping: view.ping_hosts.is_some(),
            hosts: hosts.iter().map(|host| Choice::of(host)).collect(),
            host: ping.0,
            host_errors: ping.1,
            notes: paragraphs(&view.notes),
        }
    }
}

fn card(view: &View, network: &Network, apart: &Apart, now: DateTime<Utc>) -> NetworkCard {
    let key = network.network.clone();
    let this = apart.network == key;
    let revealed = if this { apart.revealed.clone() } else { String::new() };
    let channel = network.channel.map(|channel| format!("channel {channel}"));
    let radio: Vec<String> = network.band.clone().into_iter().chain(channel).collect();
    let errand = view.errand(What::Wifi, Some(&key));
    NetworkCard {
        name: network.name.clone(),
        radio: radio.join(", "),
        enabled: network.enabled,
        password: PasswordCell::new(view.device.device_id, network, revealed, now),
        may_change: network.may_rename || network.may_set_password,
        edit: apart.edit.clone().filter(|_| this),
        errand: errand.map(|errand| Line::of(errand, view.online, now)),
        key,
    }
}

/// Where a ping goes unless somebody says otherwise.
fn first_host(allowed: &[String]) -> String {
    let usual = allowed.is_empty() || allowed.iter().any(|host| host == PING);
    if usual { PING.to_owned() } else { allowed[0].clone() }
}

fn make(view: &View) -> String {
    match &view.version {
        Some(version) => format!("{}, version {version}", view.model),
        None => view.model.clone(),
    }
}

fn internet(internet: &Internet) -> String {
    let address = internet.address.as_deref().unwrap_or_default();
    match &internet.how {
        Some(how) if !address.is_empty() => format!("{address} by {how}"),
        Some(_) | None => address.to_owned(),
    }
}

/// A word of `ui.state`; empty = not known.
fn up(up: Option<bool>) -> &'static str {
    match up {
        Some(true) => "online",
        Some(false) => "failed",
        None => "",
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
impl PasswordCell {
    pub(super) fn sample(state: &'static str, revealed: &str) -> Self {
        let at = When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        Self {
            device: Uuid::nil(),
            network: "1".to_owned(),
            id: "password-1-0".to_owned(),
            state,
            since: (state == "known").then_some(at),
            revealed: revealed.to_owned(),
        }
    }
}

#[cfg(test)]
impl Now {
    /// With all that it can have.
    pub(super) fn sample(edit: bool) -> Self {
        let at = || When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        let evil = || "<x-evil>".to_owned();
        let password = PasswordCell::sample;
        let form = Edit {
            may_rename: true,
            may_set_password: true,
            names: Vec::new(),
            name_hint: evil(),
            password_hint: evil(),
            name: evil(),
            password: evil(),
            errors: Complaints::field("password", "<x-evil>"),
        };
        let chosen = Edit { names: vec![Choice::of("<x-evil>")], ..form.clone() };
        let network = |key: &str, password, edit| NetworkCard {
            key: key.to_owned(),
            name: evil(),
            radio: "5 GHz, channel 36".to_owned(),
            enabled: key != "2",
            password,
            may_change: key != "3",
            edit,
            errand: Some(Line::sample()),
        };
        Self {
            id: Uuid::nil(),
            here: address(Uuid::nil(), "/now"),
            name: evil(),
            serial: evil(),
            make: evil(),
            online: !edit,
            last_inform: at(),
            started: Some(at()),
            internet: evil(),
            line: up(Some(edit)),
            port: "1000 Mbit/s".to_owned(),
            networks: vec![
                network("1", password("known", ""), edit.then_some(form)),
                network("2", password("unknown", ""), edit.then_some(chosen)),
                network("3", password("open", ""), None),
                network("4", password("known", "<x-evil>"), None),
            ],
            clients: if edit { Vec::new() } else { vec![ClientRow::sample(), ClientRow::sample()] },
            read: Some(at()),
            look: Some(Line::sample()),
            reboot: Some(Line::sample()),
            ping: Some(Line::sample()),
            may_reboot: true,
            may_ping: true,
            hosts: if edit { vec![Choice::of("<x-evil>")] } else { Vec::new() },
            host: evil(),
            host_errors: Complaints::field("host", "<x-evil>"),
            notes: vec![evil()],
        }
    }

    /// Of a device of which nothing is known, for who may do nothing.
    pub(super) fn bare() -> Self {
        Self {
            networks: Vec::new(),
            started: None,
            internet: String::new(),
            line: up(None),
            port: String::new(),
            read: None,
            look: None,
            reboot: None,
            ping: None,
            may_reboot: false,
            may_ping: false,
            notes: Vec::new(),
            ..Self::sample(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_goes_where_it_may() {
        let first = |hosts: &[&str]| {
            first_host(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(first(&[]), PING);
        assert_eq!(first(&["192.0.2.1", PING]), PING);
        assert_eq!(first(&["192.0.2.1", "192.0.2.2"]), "192.0.2.1");
    }

    #[test]
    fn notes_are_told_line_by_line() {
        assert_eq!(paragraphs("Ask first.\r\n\r\n  Then act. "), ["Ask first.", "Then act."]);
        assert!(paragraphs(" \n").is_empty());
    }

    #[test]
    fn a_way_to_the_internet_is_one_line() {
        let way = |address: Option<&str>, how: Option<&str>| {
            internet(&Internet {
                address: address.map(str::to_owned),
                how: how.map(str::to_owned),
                ..Internet::default()
            })
        };
        assert_eq!(way(Some("100.64.0.1"), Some("DHCP")), "100.64.0.1 by DHCP");
        assert_eq!(way(Some("100.64.0.1"), None), "100.64.0.1");
        assert_eq!(way(None, Some("DHCP")), "");
    }
}
