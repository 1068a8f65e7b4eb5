//! Claims: devices that are expected, and what they are to be when they come. Pure.
//!
//! Owns what may stand in a claim, how a MAC address is written, and the credential with which only
//! the device of one claim comes. Who takes a claim is `fleet::admission`'s to decide.
//!
//! - [`csv`]: a spreadsheet of them, as programs write it. [`rows`]: what each of its lines would do.
//!   [`fit`]: whether its values fit the template of its profile.

pub mod csv;
pub mod fit;
pub mod rows;

use muster_cwmp::digest::{Algorithm, ha1};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::credentials::REALM;
use super::label::checked_tags;
use super::secret::{Keys, MASK, is_secret, password_from};
use super::site::SitePath;
use super::variables::Variables;
use crate::error::Error;
use crate::store::claims::{Claim, NewClaim};

/// Characters of a serial number (TR-069 gives it 64).
const MAX_SERIAL: usize = 64;
/// Characters of a model, a customer's number, a profile's name.
const MAX_TEXT: usize = 64;
/// Characters of a password.
const MAX_PASSWORD: usize = 128;
/// User names of claims begin like this, with 32 hexadecimal digits behind it.
const USER: &str = "claim-";

/// What people say of a device that they expect; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimFields {
    /// Its serial number, 1 to 64 printable ASCII characters, in any case of letters. A claim has it,
    /// a MAC address, or both.
    pub serial: Option<String>,
    /// The MAC address of one of its Ethernet ports, twelve hexadecimal digits, written in any way.
    pub mac: Option<String>,
    /// What it is said to be; only compared, to warn.
    pub model: Option<String>,
    /// Path of the site where it comes to stand.
    pub site: Option<String>,
    /// Name of the profile that is bound to it.
    pub profile: Option<String>,
    /// For templates. Those whose names are those of secrets (`wifi_password`) are sealed and shown as
    /// `********`, which leaves them as they are.
    pub variables: Variables,
    /// Tags that it gets.
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Vec<String>,
    /// The customer's number, at most 64 characters.
    pub customer: Option<String>,
    /// The password on its sticker. Sealed, and shown as `********`.
    pub factory_password: Option<String>,
    /// Only a device that comes with the claim's own credential takes it. Absent in a new claim: as
    /// `zero_touch.claims_own_credential` says.
    #[schema(value_type = Option<bool>)]
    pub own_credential: bool,
}

impl ClaimFields {
    /// What is said in a stored claim, in clear.
    ///
    /// # Errors
    /// [`Error::Internal`] where another key sealed it.
    pub fn opened(claim: &Claim, keys: &Keys) -> Result<Self, Error> {
        let id = claim.claim_id;
        let sealed = claim.factory_sealed.as_deref();
        Ok(Self {
            variables: Variables::opened(&claim.variables, keys, &context(id))?,
            factory_password: sealed.map(|text| keys.open(text, &id.to_string())).transpose()?,
            ..Self::of(claim)
        })
    }

    /// What is said in a stored claim, secrets masked.
    pub fn of(claim: &Claim) -> Self {
        Self {
            serial: claim.serial.clone(),
            mac: claim.mac.clone(),
            model: claim.model.clone(),
            site: claim.site.clone(),
            profile: claim.profile.clone(),
            variables: Variables::masked(&claim.variables),
            tags: claim.tags.clone(),
            customer: claim.customer.clone(),
            factory_password: claim.factory_sealed.as_ref().map(|_| MASK.to_owned()),
            own_credential: claim.own_credential,
        }
    }

    /// As people may see it.
    pub fn masked(mut self) -> Self {
        self.variables =
            Variables::masked(&serde_json::to_value(&self.variables).unwrap_or_default());
        self.factory_password = self.factory_password.map(|_| MASK.to_owned());
        self
    }

    /// Gives secrets that came back masked the values that they had.
    pub fn keep_masked(&mut self, had: &Self) {
        self.variables.keep_masked(&had.variables);
        if self.factory_password.as_deref() == Some(MASK) {
            self.factory_password.clone_from(&had.factory_password);
        }
    }

    /// The same in order: as it is compared and stored. Whether the site and the profile are there is
    /// for the caller to look up.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the fields.
    pub fn checked(self) -> Result<Self, Error> {
        let serial = self.serial.map(|text| checked_serial(&text)).transpose()?;
        let mac = self.mac.map(|text| checked_mac(&text)).transpose()?;
        if serial.is_none() && mac.is_none() {
            let why = "a claim has a serial number, a MAC address, or both";
            return Err(Error::invalid("/serial", why));
        }
        if let Some(site) = &self.site {
            site.parse::<SitePath>().map_err(|why| Error::invalid("/site", why))?;
        }
        if let Some(password) = &self.factory_password {
            check_password(password)?;
        }
        self.variables.check("/variables")?;
        for (name, value) in &self.variables.0 {
            if is_secret(name) && value.as_str() == Some(MASK) {
                return Err(no_value("/variables", name));
            }
        }
        Ok(Self {
            serial,
            mac,
            model: self.model.map(|text| line("/model", &text)).transpose()?,
            profile: self.profile.map(|text| line("/profile", &text)).transpose()?,
            customer: self.customer.map(|text| line("/customer", &text)).transpose()?,
            tags: checked_tags(self.tags)?,
            ..self
        })
    }

    /// Whether any new device that says its serial number is given its secrets.
    pub fn is_exposed(&self) -> bool {
        !self.own_credential && self.variables.holds_secret()
    }

    /// As it is stored, with the profile of that name.
    pub fn sealed(&self, keys: &Keys, claim_id: Uuid, profile_id: Option<Uuid>) -> NewClaim {
        let password = self.factory_password.as_deref();
        NewClaim {
            claim_id,
            serial: self.serial.clone(),
            mac: self.mac.clone(),
            model: self.model.clone(),
            site: self.site.clone(),
            profile_id,
            variables: self.variables.sealed(keys, &context(claim_id)),
            tags: self.tags.clone(),
            customer: self.customer.clone(),
            factory_sealed: password
                .map(|text| hex::encode(keys.seal(text, &claim_id.to_string()))),
            own_credential: self.own_credential,
        }
    }

    /// What differs from what was there, by name; the case of a serial number's letters does not
    /// count.
    pub fn differences(&self, had: &Self) -> Vec<&'static str> {
        [
            ("serial", !is_same(self.serial.as_deref(), had.serial.as_deref())),
            ("mac", self.mac != had.mac),
            ("model", self.model != had.model),
            ("site", self.site != had.site),
            ("profile", self.profile != had.profile),
            ("variables", self.variables != had.variables),
            ("tags", self.tags != had.tags),
            ("customer", self.customer != had.customer),
            ("factory_password", self.factory_password != had.factory_password),
            ("own_credential", self.own_credential != had.own_credential),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    /// What people call it: the serial number, or else the MAC address.
    pub fn name(&self) -> &str {
        self.serial.as_deref().or(self.mac.as_deref()).unwrap_or_default()
    }
}

/// What a claim's variables are sealed for: they open nowhere else.
pub fn context(claim_id: Uuid) -> String {
    format!("claim {claim_id}")
}

/// Whether a claim can name a device by this serial number.
pub fn is_serial(text: &str) -> bool {
    (1..=MAX_SERIAL).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// Whether these are one serial number.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    }
}

fn checked_serial(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if !is_serial(text) {
        let why = format!("a serial number is 1 to {MAX_SERIAL} printable ASCII characters");
        return Err(Error::invalid("/serial", why));
    }
    Ok(text.to_owned())
}

/// `E4:8D:8C:00:00:01` of a MAC address, however it is written.
pub fn mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')).collect();
    if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_uppercase();
    let pairs: Vec<&str> = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]).collect();
    Some(pairs.join(":"))
}

fn checked_mac(text: &str) -> Result<String, Error> {
    let wrong = |why: &str| Error::invalid("/mac", why);
    let mac = mac(text)
        .ok_or_else(|| wrong("a MAC address is twelve hexadecimal digits: E4:8D:8C:00:00:01"))?;
    let first = u8::from_str_radix(&mac[..2], 16).unwrap_or_default();
    // What every port has that has none, and what no port has.
    if mac == "00:00:00:00:00:00" || first & 1 == 1 {
        return Err(wrong("this is no address of a single device"));
    }
    Ok(mac)
}

/// A text on one line, without blanks at its ends.
fn line(pointer: &str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if !(1..=MAX_TEXT).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        let why = format!("1 to {MAX_TEXT} characters on one line");
        return Err(Error::invalid(pointer, why));
    }
    Ok(text.to_owned())
}

fn check_password(password: &str) -> Result<(), Error> {
    if password == MASK {
        return Err(no_value("/factory_password", "factory_password"));
    }
    if !(1..=MAX_PASSWORD).contains(&password.chars().count())
        || password.chars().any(char::is_control)
    {
        let why = format!("1 to {MAX_PASSWORD} characters on one line");
        return Err(Error::invalid("/factory_password", why));
    }
    Ok(())
}

fn no_value(pointer: &str, name: &str) -> Error {
    let why = format!("`{name}` has no value yet that {MASK} could stand for: write it out");
    Error::invalid(pointer, why)
}

/// The credential with which only the device of one claim comes. Made from the installation's key, so
/// that every node knows it and no table holds it; good once, as the enrolment credential is.
#[derive(Clone)]
pub struct Login {
    /// User name.
    pub username: String,
    /// HA1 by MD5.
    pub ha1_md5: String,
    /// HA1 by SHA-256.
    pub ha1_sha256: String,
    password: String,
}

impl Login {
    /// That of this claim, whether or not there is one.
    pub fn of(keys: &Keys, claim_id: Uuid) -> Self {
        let username = format!("{USER}{}", claim_id.simple());
        let password = password_from(&keys.derive(&format!("password of {username}"))[..20]);
        Self {
            ha1_md5: ha1(Algorithm::Md5, &username, REALM, &password),
            ha1_sha256: ha1(Algorithm::Sha256, &username, REALM, &password),
            username,
            password,
        }
    }

    /// The password in clear, for the operator who prepares the device.
    pub fn expose_password(&self) -> &str {
        &self.password
    }
}

/// The claim whose user name this is.
pub fn of_user(username: &str) -> Option<Uuid> {
    let digits = username.strip_prefix(USER)?;
    let plain =
        digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if plain { Uuid::try_parse(digits).ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use serde_json::Value;

    fn fields(value: Value) -> ClaimFields {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_claim_is_put_in_order_before_it_is_stored() {
        let checked = fields(json!({
            "serial": " hgf09abcde1 ", "mac": "e48d.8c00.0001", "customer": " 4711 ",
            "tags": ["b", "a", "b"],
        }));
        let checked = checked.checked().unwrap();
        assert_eq!(checked.serial.as_deref(), Some("hgf09abcde1"));
        assert_eq!(checked.mac.as_deref(), Some("E4:8D:8C:00:00:01"));
        assert_eq!((checked.customer.as_deref(), checked.tags.len()), (Some("4711"), 2));
        assert_eq!(checked.clone().checked().unwrap(), checked);
    }

    #[test]
    fn a_mac_address_has_twelve_digits() {
        assert_eq!(mac("48 8f 5a 0 0"), None);
        assert_eq!(mac("48:8f:5a:00:00:0g"), None);
        assert_eq!(mac("488f.5a00.0001").as_deref(), Some("48:8F:5A:00:00:01"));
    }

    #[test]
    fn what_cannot_be_claimed_is_refused_with_its_place() {
        for (value, pointer) in [
            (json!({}), "/serial"),
            (json!({ "serial": " " }), "/serial"),
            (json!({ "serial": "x".repeat(65) }), "/serial"),
            (json!({ "serial": "Šķūnis" }), "/serial"),
            (json!({ "serial": "a\nb" }), "/serial"),
            (json!({ "mac": "E4:8D:8C:00:00" }), "/mac"),
            (json!({ "mac": "00:00:00:00:00:00" }), "/mac"),
            (json!({ "mac": "ff:ff:ff:ff:ff:ff" }), "/mac"),
            (json!({ "serial": "A", "site": "e-u" }), "/site"),
            (json!({ "serial": "A", "profile": "" }), "/profile"),
            (json!({ "serial": "A", "customer": "x".repeat(65) }), "/customer"),
            (json!({ "serial": "A", "tags": ["not ok"] }), "/tags/0"),
            (json!({ "serial": "A", "variables": { "2": 1 } }), "/variables"),
            (json!({ "serial": "A", "variables": { "ppp_password": MASK } }), "/variables"),
            (json!({ "serial": "A", "factory_password": MASK }), "/factory_password"),
            (json!({ "serial": "A", "factory_password": "a\u{0}" }), "/factory_password"),
        ] {
            let shown = value.to_string();
            let Err(Error::Invalid { pointer: place, .. }) = fields(value).checked() else {
                panic!("{shown} was taken")
            };
            assert_eq!(place, pointer, "{shown}");
        }
    }

    #[test]
    fn secrets_are_sealed_and_those_that_came_back_masked_stay() {
        let (keys, id) = (Keys::new([7; 32]), Uuid::from_u128(1));
        let had = fields(json!({ "serial": "A", "factory_password": "hunter2",
                                 "variables": { "ppp_password": "hunter3", "vlan": 7 } }));
        let stored = had.sealed(&keys, id, None);
        assert!(!json!(stored).to_string().contains("hunter"), "{stored:?}");
        let mut back = had.clone().masked();
        assert!(!json!(back).to_string().contains("hunter"));
        back.keep_masked(&had);
        assert_eq!(back.checked().unwrap(), had);
        let changed = ClaimFields { customer: Some("1".to_owned()), ..had.clone() };
        assert_eq!(changed.differences(&had), ["customer"]);
    }

    #[test]
    fn a_claims_credential_is_its_own_and_the_same_on_every_node() {
        let keys = Keys::new([7; 32]);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let login = Login::of(&keys, one);
        assert_eq!(login.username, "claim-00000000000000000000000000000001");
        assert_eq!(login.expose_password(), Login::of(&keys, one).expose_password());
        assert_ne!(login.expose_password(), Login::of(&keys, other).expose_password());
        assert_eq!(login.expose_password().len(), 20);
        assert_eq!(of_user(&login.username), Some(one));
        for strange in ["claim-", "claim-1", "enrol", "claim-0000000000000000000000000000000G"] {
            assert_eq!(of_user(strange), None, "{strange}");
        }
    }
}
