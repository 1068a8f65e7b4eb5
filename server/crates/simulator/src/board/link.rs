//! Properties that are parameters of the data model.

use super::OWN_MAC;
use crate::menus::Item;
use crate::model::Model;
use crate::profile::Identity;
use crate::script::{duration, names, seconds};

/// The line that PPPoE goes over, in the catalogue.
const DIALLED: &str = "Device.PPP.Interface.12.";

/// What a property is in the data model.
enum Link {
    /// The value of the first of these; all of them are set.
    Parameters(Vec<String>),
    /// Yes or no.
    Flag(&'static str),
    /// A time.
    Seconds(&'static str),
    /// The list of name servers.
    Servers,
}

/// The properties of a menu's items that are parameters, for those that list them all.
pub(crate) fn linked(menu: &str) -> &'static [&'static str] {
    match menu {
        "/system/identity" => &["name"],
        "/ip/dns" => &["servers"],
        "/tr069-client" => &[
            "acs-url",
            "connection-request-username",
            "connection-request-password",
            "password",
            "periodic-inform-enabled",
            "periodic-inform-interval",
            "provisioning-code",
            "username",
        ],
        "/interface/ethernet" => &["comment", "name"],
        "/interface/wifi" => &["configuration.ssid", "security.passphrase"],
        "/interface/wireless" => &["ssid"],
        "/interface/wireless/security-profiles" => &["wpa2-pre-shared-key"],
        "/interface/pppoe-client" => &["password", "user"],
        _ => &[],
    }
}

fn link(menu: &str, item: &Item, name: &str) -> Option<Link> {
    let one = |name: &str| Some(Link::Parameters(vec![name.to_owned()]));
    // The number of a port or radio, which its first name ends in.
    let number = || {
        let name = item.own("default-name")?;
        name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok()
    };
    let of = |table: &str, cell: &str| {
        Some(Link::Parameters(vec![format!("Device.{table}.{}.{cell}", number()?)]))
    };
    match (menu, name) {
        ("/system/identity", "name") => one(names::IDENTITY),
        ("/ip/dns", "servers") => Some(Link::Servers),
        ("/tr069-client", "acs-url") => one(names::URL),
        ("/tr069-client", "username") => one(names::USERNAME),
        ("/tr069-client", "password") => one(names::PASSWORD),
        ("/tr069-client", "provisioning-code") => one(names::PROVISIONING_CODE),
        ("/tr069-client", "connection-request-username") => one(names::REQUEST_USERNAME),
        ("/tr069-client", "connection-request-password") => one(names::REQUEST_PASSWORD),
        ("/tr069-client", "periodic-inform-enabled") => Some(Link::Flag(names::PERIODIC)),
        ("/tr069-client", "periodic-inform-interval") => Some(Link::Seconds(names::INTERVAL)),
        ("/interface/ethernet", "name") => of("Ethernet.Interface", "X_MIKROTIK_Name"),
        ("/interface/ethernet", "comment") => of("Ethernet.Interface", "X_MIKROTIK_Comment"),
        ("/interface/wifi", "configuration.ssid") | ("/interface/wireless", "ssid") => {
            of("WiFi.SSID", "SSID")
        }
        ("/interface/wifi", "security.passphrase") => {
            of("WiFi.AccessPoint", "Security.KeyPassphrase")
        }
        // One key for all networks that have none of their own.
        ("/interface/wireless/security-profiles", "wpa2-pre-shared-key")
            if item.own("default") == Some("yes") =>
        {
            let key = |n: u32| format!("Device.WiFi.AccessPoint.{n}.Security.KeyPassphrase");
            Some(Link::Parameters(vec![key(1), key(2)]))
        }
        ("/interface/pppoe-client", "user") => one(&format!("{DIALLED}Username")),
        ("/interface/pppoe-client", "password") => one(&format!("{DIALLED}Password")),
        _ => None,
    }
}

/// A property of an item, wherever it is kept; empty where it has none.
pub(crate) fn read(
    model: &Model,
    identity: &Identity,
    menu: &str,
    item: &Item,
    name: &str,
) -> String {
    match link(menu, item, name) {
        Some(Link::Parameters(names)) => {
            names.first().map_or("", |name| model.value(name)).to_owned()
        }
        Some(Link::Flag(name)) => if model.value(name) == "1" { "yes" } else { "no" }.to_owned(),
        Some(Link::Seconds(name)) => model.value(name).parse().map(duration).unwrap_or_default(),
        Some(Link::Servers) => {
            let mut rows = model.rows(names::DNS_SERVERS);
            rows.sort_unstable();
            let server = |row: u32| model.value(&format!("{}{row}.DNSServer", names::DNS_SERVERS));
            rows.into_iter().map(server).collect::<Vec<_>>().join(",")
        }
        None => match (name, item.own(name)) {
            (".id", _) => format!("*{:X}", item.id),
            (_, Some(OWN_MAC)) => identity.mac(1),
            (_, Some(value)) => value.to_owned(),
            ("disabled" | "dynamic" | "invalid", None) => "no".to_owned(),
            (_, None) => String::new(),
        },
    }
}

/// Sets a property that is a parameter; false where it is none.
pub(crate) fn write(
    model: &mut Model,
    menu: &str,
    item: &Item,
    name: &str,
    value: &str,
) -> Result<bool, String> {
    match link(menu, item, name) {
        None => return Ok(false),
        Some(Link::Parameters(names)) => names.iter().for_each(|name| model.put(name, value)),
        Some(Link::Flag(name)) => model.put(name, if value == "yes" { "1" } else { "0" }),
        Some(Link::Seconds(parameter)) => {
            let Some(seconds) = seconds(value).filter(|seconds| *seconds > 0) else {
                return Err(format!("invalid time value for argument {name}"));
            };
            model.put(parameter, &seconds.to_string());
        }
        Some(Link::Servers) => set_servers(value, model)?,
    }
    Ok(true)
}

fn set_servers(servers: &str, model: &mut Model) -> Result<(), String> {
    let refused = |_| "failure: name servers cannot be set".to_owned();
    let key = model.value("Device.ManagementServer.ParameterKey").to_owned();
    for row in model.rows(names::DNS_SERVERS) {
        model.delete(&format!("{}{row}.", names::DNS_SERVERS), &key).map_err(refused)?;
    }
    for server in servers.split(',').filter(|server| !server.is_empty()) {
        let row = model.add(names::DNS_SERVERS, &key).map_err(refused)?;
        let cell = |name: &str| format!("{}{row}.{name}", names::DNS_SERVERS);
        model.put(&cell("DNSServer"), server);
        model.put(&cell("Enable"), "1");
        model.put(&cell("Status"), "Enabled");
    }
    Ok(())
}

/// Whether there is a PPPoE client that dials; the other side always answers.
pub(crate) fn dial(model: &mut Model, on: bool) {
    let (enable, status, connection) =
        if on { ("1", "Up", "Connected") } else { ("0", "Down", "Unconfigured") };
    for (name, value) in [("Enable", enable), ("Status", status), ("ConnectionStatus", connection)]
    {
        model.put(&format!("{DIALLED}{name}"), value);
    }
}
