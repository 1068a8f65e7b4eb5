//! What a form says of a role. Pure.

use serde::{Deserialize, Serialize};

use crate::access::right::Right;
use crate::access::role::{LEAST_WIFI_PASSWORD, RoleFields, SupportPolicy};
use crate::error::Error;
use crate::store::roles::Role;
use crate::web::form::Complaints;
use crate::web::manage::version;

/// Fields of the form, as what is wrong names them.
const FIELDS: [&str; 9] = [
    "name",
    "description",
    "rights",
    "hidden",
    "read_only",
    "notes",
    "wifi_names",
    "min_wifi_password",
    "ping_hosts",
];

/// What is said of a role. In a list each stands in a line of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RoleForm {
    pub(super) version: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) rights: Vec<Right>,
    pub(super) hidden: String,
    pub(super) read_only: String,
    pub(super) notes: String,
    pub(super) allow_reboot: bool,
    pub(super) allow_wifi: bool,
    pub(super) allow_ping: bool,
    pub(super) wifi_names: String,
    pub(super) min_wifi_password: String,
    pub(super) ping_hosts: String,
}

impl RoleForm {
    /// Of a new role.
    pub(super) fn new() -> Self {
        Self::default().with(SupportPolicy::default())
    }

    /// Of a stored role.
    pub(super) fn of(role: &Role) -> Self {
        let fields = RoleFields::of(role);
        let form = Self {
            version: version(role.updated_at),
            name: role.name.clone(),
            description: role.description.clone(),
            rights: fields.rights.unwrap_or_default(),
            ..Self::default()
        };
        form.with(fields.support.unwrap_or_default())
    }

    pub(super) fn with(self, policy: SupportPolicy) -> Self {
        Self {
            hidden: policy.hidden.join("\n"),
            read_only: policy.read_only.join("\n"),
            notes: policy.notes,
            allow_reboot: policy.allow_reboot,
            allow_wifi: policy.allow_wifi,
            allow_ping: policy.allow_ping,
            wifi_names: policy.wifi_names.join("\n"),
            min_wifi_password: policy.min_wifi_password.to_string(),
            ping_hosts: policy.ping_hosts.join("\n"),
            ..self
        }
    }

    /// What the support view shows; nothing is said where that is as shipped.
    pub(super) fn support(&self) -> Option<SupportPolicy> {
        let policy = SupportPolicy {
            hidden: items(&self.hidden),
            read_only: items(&self.read_only),
            // Browsers send lines as on a teleprinter.
            notes: self.notes.replace("\r\n", "\n").trim().to_owned(),
            allow_reboot: self.allow_reboot,
            allow_wifi: self.allow_wifi,
            allow_ping: self.allow_ping,
            wifi_names: items(&self.wifi_names),
            min_wifi_password: match self.min_wifi_password.trim() {
                "" => LEAST_WIFI_PASSWORD,
                // What is no number is refused as 0 is, with what is right.
                text => text.parse().unwrap_or(0),
            },
            ping_hosts: items(&self.ping_hosts),
        };
        (policy != SupportPolicy::default()).then_some(policy)
    }

    pub(super) fn fields(&self) -> RoleFields {
        let supports = self.rights.contains(&Right::Support);
        RoleFields {
            name: Some(self.name.trim().to_owned()),
            description: Some(self.description.trim().to_owned()),
            rights: Some(self.rights.clone()),
            support: self.support().filter(|_| supports),
        }
    }
}

fn items(lines: &str) -> Vec<String> {
    lines.lines().map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// What is wrong with the form; its fields of the support view have no name in front.
pub(super) fn complaints(error: Error) -> Result<Complaints, Error> {
    let error = match error {
        Error::Invalid { pointer, message } => {
            let pointer = pointer.strip_prefix("/support").unwrap_or(&pointer).to_owned();
            Error::Invalid { pointer, message }
        }
        other => other,
    };
    Complaints::of(error, &FIELDS)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_form_says_what_the_role_is() {
        let form = RoleForm {
            name: " first line ".to_owned(),
            rights: vec![Right::Support],
            hidden: "Device.A\r\n\r\n Device.B \r\n".to_owned(),
            notes: "Ask for the\r\ncustomer number. ".to_owned(),
            allow_reboot: false,
            wifi_names: "Home*\r\nGuest".to_owned(),
            min_wifi_password: " 12".to_owned(),
            ..RoleForm::new()
        };
        let fields = form.fields();
        assert_eq!(fields.name.as_deref(), Some("first line"));
        let policy = fields.support.unwrap();
        assert_eq!(policy.hidden, ["Device.A", "Device.B"]);
        assert_eq!(policy.notes, "Ask for the\ncustomer number.");
        assert!(!policy.allow_reboot && policy.allow_wifi && policy.allow_ping);
        assert_eq!(policy.wifi_names, ["Home*", "Guest"]);
        assert_eq!((policy.min_wifi_password, policy.ping_hosts.len()), (12, 0));
        let least = |typed: &str| {
            let form = RoleForm { min_wifi_password: typed.to_owned(), ..form.clone() };
            form.support().unwrap().min_wifi_password
        };
        assert_eq!((least(""), least("twelve"), least("300")), (8, 0, 0));
        // Without the right there is no support view to speak of.
        assert_eq!(RoleForm { rights: vec![Right::Read], ..form }.fields().support, None);
        assert_eq!(RoleForm::new().support(), None, "as shipped");
    }

    #[test]
    fn what_is_wrong_with_the_support_view_stands_at_its_field() {
        let of = |pointer: &str| complaints(Error::invalid(pointer, "bad")).unwrap();
        assert_eq!(of("/support/hidden"), Complaints::field("hidden", "bad"));
        assert_eq!(of("/rights/0"), Complaints::field("rights", "bad"));
        assert_eq!(of("/support"), Complaints::whole("bad"));
    }
}
