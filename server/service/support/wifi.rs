//! The Wi-Fi networks that a device gives: where both data models have them, and what may become of
//! their names and passwords. Pure.
//!
//! A network is what an access point gives. A name that no access point refers to may be that of the
//! device's own uplink: changing it could cut the customer off, so it is none.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::seen::{Seen, as_object};
use crate::access::role::{LEAST_WIFI_PASSWORD, MOST_WIFI_PASSWORD, check_allowed};
use crate::error::Error;
use crate::jobs::spec::SetParameter;

const POINTS: &str = "Device.WiFi.AccessPoint.";
const LANS: &str = "InternetGatewayDevice.LANDevice.";
/// Bytes of a network's name (IEEE 802.11 9.4.2.2).
const MAX_NAME: usize = 32;
/// Characters of a password that is made up, if not more are asked for.
const MADE_UP: u8 = 19;

/// A Wi-Fi network of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Network {
    /// By which it is named in orders.
    #[schema(example = "1")]
    pub network: String,
    /// The name that phones show (SSID).
    pub name: String,
    /// `2.4 GHz`, `5 GHz` or `6 GHz`; null = the device does not tell.
    pub band: Option<String>,
    /// Radio channel.
    pub channel: Option<u32>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Who can join.
    pub protection: Protection,
    /// Since when Muster knows the password; null = it does not.
    pub password_known_since: Option<DateTime<Utc>>,
    /// Whether the caller may change its name.
    pub may_rename: bool,
    /// Whether the caller may change its password.
    pub may_set_password: bool,
    /// The names that the caller's role allows it: patterns as in selectors. Empty = any.
    pub allowed_names: Vec<String>,
    /// Characters that a new password has at least.
    pub min_password: u8,
    /// What holds its name.
    #[serde(skip)]
    pub(super) name_parameter: String,
    /// What holds its password, where there is one for all.
    #[serde(skip)]
    pub(super) password_parameter: Option<String>,
    /// The object below which its devices are.
    #[serde(skip)]
    pub(super) access_point: String,
}

/// Who can join a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Anybody.
    Open,
    /// Who knows the password.
    Password,
    /// By something else, such as a login for each person.
    Other,
}

impl Network {
    /// One that the device has; what is known and allowed of it comes later.
    fn new(seen: &Seen, name_parameter: String, access_point: String) -> Self {
        Self {
            network: key(&name_parameter),
            name: seen.text(&name_parameter).unwrap_or_default().to_owned(),
            band: None,
            channel: None,
            enabled: true,
            protection: Protection::Password,
            password_known_since: None,
            may_rename: seen.is_writable(&name_parameter),
            may_set_password: false,
            allowed_names: Vec::new(),
            min_password: LEAST_WIFI_PASSWORD,
            name_parameter,
            password_parameter: None,
            access_point,
        }
    }

    /// The password is here, if the network has one and the device has it.
    fn with_password(self, seen: &Seen, parameters: &[String]) -> Self {
        let there = parameters.iter().find(|name| seen.has(name)).cloned();
        let parameter = there.filter(|_| self.protection == Protection::Password);
        Self {
            may_set_password: parameter.as_ref().is_some_and(|name| seen.is_writable(name)),
            password_parameter: parameter,
            ..self
        }
    }

    /// Whether this parameter is its name or its password.
    pub(super) fn holds(&self, parameter: &str) -> bool {
        parameter == self.name_parameter || self.password_parameter.as_deref() == Some(parameter)
    }
}

/// The networks of a device, in the order of its data model.
pub(super) fn networks(seen: &Seen) -> Vec<Network> {
    let mut list: Vec<Network> = Vec::new();
    let found = seen.rows(POINTS).into_iter().filter_map(|point| tr181(seen, point));
    for network in found.chain(tr098(seen)) {
        // Two access points of one name are one network.
        if !list.iter().any(|other| other.network == network.network) {
            list.push(network);
        }
    }
    list
}

fn tr181(seen: &Seen, point: u32) -> Option<Network> {
    let point = format!("{POINTS}{point}.");
    let ssid = as_object(seen.text(&format!("{point}SSIDReference"))?);
    let name = format!("{ssid}SSID");
    if !seen.has(&name) {
        return None;
    }
    let layers = seen.text(&format!("{ssid}LowerLayers")).unwrap_or_default();
    let radio =
        layers.split(',').map(as_object).find(|path| path.starts_with("Device.WiFi.Radio."));
    let of_radio = |name: &str| seen.text(&format!("{}{name}", radio.as_ref()?));
    let off = [&point, &ssid].iter().any(|at| seen.flag(&format!("{at}Enable")) == Some(false));
    let protection = match seen.text(&format!("{point}Security.ModeEnabled")) {
        Some("None") => Protection::Open,
        Some(mode) if mode.contains("Personal") || mode.starts_with("X_") => Protection::Password,
        Some(_) => Protection::Other,
        None => Protection::Password,
    };
    let network = Network {
        band: of_radio("OperatingFrequencyBand").map(|band| band.replace("GHz", " GHz")),
        channel: of_radio("Channel").and_then(|channel| channel.parse().ok()),
        enabled: !off,
        protection,
        ..Network::new(seen, name, point.clone())
    };
    Some(network.with_password(seen, &[format!("{point}Security.KeyPassphrase")]))
}

fn tr098(seen: &Seen) -> Vec<Network> {
    let mut list = Vec::new();
    for lan in seen.rows(LANS) {
        let table = format!("{LANS}{lan}.WLANConfiguration.");
        for row in seen.rows(&table) {
            let object = format!("{table}{row}.");
            let name = format!("{object}SSID");
            if !seen.has(&name) {
                continue;
            }
            let text = |name: &str| seen.text(&format!("{object}{name}"));
            let channel = text("Channel").and_then(|channel| channel.parse().ok());
            let network = Network {
                band: channel.and_then(band_of).map(str::to_owned),
                channel,
                enabled: seen.flag(&format!("{object}Enable")) != Some(false),
                protection: protection(text("BeaconType"), text("BasicEncryptionModes")),
                ..Network::new(seen, name, object.clone())
            };
            // TR-098 has it twice, and devices have either.
            let passwords = ["PreSharedKey.1.KeyPassphrase", "KeyPassphrase"];
            list.push(
                network.with_password(seen, &passwords.map(|name| format!("{object}{name}"))),
            );
        }
    }
    list
}

/// The band of a channel, as far as that decides it.
fn band_of(channel: u32) -> Option<&'static str> {
    match channel {
        1..=14 => Some("2.4 GHz"),
        32..=177 => Some("5 GHz"),
        _ => None,
    }
}

fn protection(beacon: Option<&str>, encryption: Option<&str>) -> Protection {
    match (beacon, encryption) {
        (Some("None"), _) | (Some("Basic"), Some("None")) => Protection::Open,
        // WEP.
        (Some("Basic"), _) => Protection::Other,
        (Some(_) | None, _) => Protection::Password,
    }
}

/// The numbers of a path, which tell the networks of one device apart.
fn key(path: &str) -> String {
    let numbers = path.split('.').filter(|part| part.parse::<u32>().is_ok());
    numbers.collect::<Vec<_>>().join("-")
}

/// What somebody wants of a network. It is never printed: it holds a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The new name; `None` = as it is.
    pub name: Option<String>,
    /// The new password; `None` = as it is.
    pub password: Option<String>,
}

/// What is to be written for a change: never anything but the network's own name and password.
///
/// # Errors
/// [`Error::Invalid`] at `/name` and `/password`, and where nothing would change; [`Error::Denied`].
pub(super) fn parameters(network: &Network, change: &Change) -> Result<Vec<SetParameter>, Error> {
    let mut list = Vec::new();
    let set = |name: &String, value: &String| SetParameter {
        name: name.clone(),
        value: value.clone(),
        kind: None,
    };
    if let Some(name) = change.name.as_ref().filter(|name| **name != network.name) {
        check_name(name)?;
        if !network.may_rename {
            return Err(denied("name"));
        }
        check_allowed(&network.allowed_names, "/name", name)?;
        list.push(set(&network.name_parameter, name));
    }
    if let Some(password) = &change.password {
        check_password(password, network.min_password)?;
        match &network.password_parameter {
            Some(parameter) if network.may_set_password => list.push(set(parameter, password)),
            Some(_) | None => return Err(denied("password")),
        }
    }
    if list.is_empty() {
        return Err(Error::invalid("", "nothing would change: give a new name or a new password"));
    }
    Ok(list)
}

fn denied(what: &str) -> Error {
    Error::Denied(format!("the {what} of this network cannot be changed here"))
}

fn check_name(name: &str) -> Result<(), Error> {
    let good = (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    if good && name.trim() == name {
        return Ok(());
    }
    let why = format!(
        "1 to {MAX_NAME} bytes without blanks at the ends; letters with accents count twice"
    );
    Err(Error::invalid("/name", why))
}

fn check_password(password: &str, least: u8) -> Result<(), Error> {
    let printable = password.bytes().all(|b| (b' '..=b'~').contains(&b));
    let long = (usize::from(least)..=usize::from(MOST_WIFI_PASSWORD)).contains(&password.len());
    if printable && long && password.trim() == password {
        return Ok(());
    }
    let why = format!(
        "{least} to {MOST_WIFI_PASSWORD} letters a to z, digits and signs, without accents and \
         without blanks at the ends"
    );
    Err(Error::invalid("/password", why))
}

/// A password of at least so many characters that can be told by telephone: `kamo-tiru-beda-suve`,
/// four words of it with 50 bits of what is random.
pub(super) fn readable(random: &[u8; 64], least: u8) -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjkmnprstvwz";
    const VOWELS: &[u8; 5] = b"aeiou";
    let mut out = String::new();
    for (i, [one, other]) in random.as_chunks::<2>().0.iter().enumerate() {
        if i % 2 == 0 && out.len() >= usize::from(least.max(MADE_UP)) {
            break;
        }
        if i > 0 && i % 2 == 0 {
            out.push('-');
        }
        out.push(char::from(CONSONANTS[usize::from(*one) % CONSONANTS.len()]));
        out.push(char::from(VOWELS[usize::from(*other) % VOWELS.len()]));
    }
    // The last of thirteen words may be one letter too long.
    out.truncate(usize::from(MOST_WIFI_PASSWORD));
    out
}

#[cfg(test)]
mod tests;
