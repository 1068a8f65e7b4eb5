//! What every template knows of its device, beside the variables that it declares.

use serde_json::{Map, Value};

use crate::fleet::template::Values;

/// Names that every template has.
pub const ALWAYS: [&str; 5] = ["device", "site", "customer", "acs", "board"];

/// A board at the bench, which is no device yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardContext {
    /// The address by which it asked.
    pub mac: String,
    /// What it calls itself: `952-hb`.
    pub id: Option<String>,
    /// Bytes that it has room for.
    pub free: Option<u32>,
}

/// A device as templates see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceContext {
    /// Serial number.
    pub serial: String,
    /// Six hex digits.
    pub oui: String,
    /// The board.
    pub model: Option<String>,
    /// The marketing name.
    pub product_class: String,
    /// System identity.
    pub identity: Option<String>,
    /// What it runs.
    pub version: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Its first Ethernet address.
    pub mac: Option<String>,
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// What people call that site.
    pub site_name: Option<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// What devices call this server; empty = each knows it by another name.
    pub acs_url: String,
    /// What it is at the bench; `None` = it is not there.
    pub board: Option<BoardContext>,
}

impl DeviceContext {
    /// A device that there is not, to try templates with.
    pub fn sample() -> Self {
        let text = |text: &str| Some(text.to_owned());
        Self {
            serial: "SAMPLE000001".to_owned(),
            oui: "4C5E0C".to_owned(),
            model: text("C52iG-5HaxD2HaxD"),
            product_class: "hAP ax2".to_owned(),
            identity: text("sample"),
            version: text("7.16.1"),
            arch: text("arm64"),
            mac: text("02:00:00:00:00:01"),
            site: text("sample.site"),
            site_name: text("Sample site"),
            customer: text("C-1000"),
            acs_url: "https://acs.example:7547".to_owned(),
            board: Some(BoardContext {
                mac: "02:00:00:00:00:01".to_owned(),
                id: text("sample-hb"),
                free: Some(3_900),
            }),
        }
    }

    /// What a template is rendered with: the values, and beside them what it always has. What is not
    /// known is not there, so that `{% if device.model %}` asks for it.
    pub fn with(&self, values: &Values, acs_username: &str) -> Value {
        let device = [
            ("serial", Some(&self.serial)),
            ("oui", Some(&self.oui)),
            ("model", self.model.as_ref()),
            ("product_class", Some(&self.product_class)),
            ("identity", self.identity.as_ref()),
            ("version", self.version.as_ref()),
            ("arch", self.arch.as_ref()),
            ("mac", self.mac.as_ref()),
        ];
        let site = [("path", self.site.as_ref()), ("name", self.site_name.as_ref())];
        let url = (!self.acs_url.is_empty()).then_some(&self.acs_url);
        let username = acs_username.to_owned();
        let mut context: Map<String, Value> =
            values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        context.insert("device".to_owned(), known(device));
        context.insert("site".to_owned(), known(site));
        context.insert("acs".to_owned(), known([("url", url), ("username", Some(&username))]));
        context.insert("board".to_owned(), self.board_value());
        if let Some(customer) = &self.customer {
            context.insert("customer".to_owned(), Value::from(customer.clone()));
        }
        Value::Object(context)
    }

    fn board_value(&self) -> Value {
        let Some(board) = &self.board else { return known::<0>([]) };
        let mut value = known([("mac", Some(&board.mac)), ("id", board.id.as_ref())]);
        if let Some(free) = board.free {
            value["free"] = Value::from(free);
        }
        value
    }
}

fn known<const N: usize>(texts: [(&str, Option<&String>); N]) -> Value {
    let known = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    Value::Object(known.map(|(name, text)| (name.to_owned(), Value::from(text.clone()))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_not_there() {
        let device = DeviceContext { serial: "S1".to_owned(), ..DeviceContext::default() };
        let values = Values::from([("ssid".to_owned(), json!("a"))]);
        let expected = json!({
            "ssid": "a",
            "device": { "serial": "S1", "oui": "", "product_class": "" },
            "site": {},
            "acs": { "username": "enrol" },
            "board": {},
        });
        assert_eq!(device.with(&values, "enrol"), expected);
        let whole = DeviceContext::sample().with(&Values::new(), "enrol");
        assert!(ALWAYS.iter().all(|name| whole.get(name).is_some()), "{whole}");
        assert_eq!(whole["site"]["name"], "Sample site");
        let sample = json!({ "mac": "02:00:00:00:00:01", "id": "sample-hb", "free": 3_900 });
        assert_eq!(whole["board"], sample);
    }
}
