//! The file by which a device is given a whole configuration: one of its own back, or one of somebody's.
//! Pure.
//!
//! RouterOS runs an overwrite right after it has dropped all that was there and restarted, and stops
//! at the first line that fails. So what leads the device back here stands before everything else, and
//! once more after it, where an address of then would have won. An export lacks what RouterOS never
//! exports, and what it hides: [`lacks`] says what that is.

use muster_routeros::apply::RESCUE;
use muster_routeros::lex;
use muster_routeros::quote::quote;

/// The interfaces are not there yet when the script begins.
const DELAY: &str = ":delay 15s";
/// What RouterOS hides in an export of these menus, and without what nothing works there; in some only
/// where this is said, and is not `no`.
const HIDDEN: [(&str, &str, Option<&str>); 13] = [
    ("/interface/pppoe-client", "password", None),
    ("/interface/l2tp-client", "password", None),
    ("/interface/sstp-client", "password", None),
    ("/interface/ovpn-client", "password", None),
    ("/interface/pptp-client", "password", None),
    ("/interface/l2tp-server/server", "ipsec-secret", Some("use-ipsec")),
    ("/interface/wireguard", "private-key", None),
    ("/interface/wireless/security-profiles", "pre-shared-key", None),
    ("/interface/wifi", "passphrase", Some("security.authentication-types")),
    ("/interface/wifi/security", "passphrase", None),
    ("/interface/lte/apn", "password", None),
    ("/ip/ipsec/identity", "secret", None),
    ("/ppp/secret", "password", None),
];
/// What no export has.
const NEVER: [&str; 2] = ["users and their passwords", "certificates and their keys"];

/// What a device logs in with here, and is woken with.
pub struct Login {
    /// Its user name.
    pub username: String,
    /// Its password, in clear.
    pub password: String,
    /// The user name of connection requests.
    pub wake_username: String,
    /// Their password, in clear.
    pub wake_password: String,
}

/// The file: an export byte by byte as it came, in whatever its names are written, between two lines
/// that lead the device back to `acs_url`. `what` is a comment that says what it is, in one line.
pub fn script(what: &str, export: &[u8], acs_url: &str, login: Option<&Login>) -> Vec<u8> {
    let mut back = format!("/tr069-client set acs-url={}", quote(acs_url));
    if let Some(login) = login {
        for (name, value) in [
            ("username", &login.username),
            ("password", &login.password),
            ("connection-request-username", &login.wake_username),
            ("connection-request-password", &login.wake_password),
        ] {
            back.push_str(&format!(" {name}={}", quote(value)));
        }
    }
    back.push_str(" enabled=yes");
    let head = format!("{what}\n{DELAY}\n{back}\n");
    let end = if export.ends_with(b"\n") { "" } else { "\n" };
    // An export of just after a script still has the way back of that script, which would load what was
    // there before it.
    let tail = format!(
        "{end}:do {{ /system scheduler remove [find name={}] }} on-error={{}}\n{back}\n",
        quote(RESCUE)
    );
    [head.as_bytes(), export, tail.as_bytes()].concat()
}

/// What the device will not have after it was given this export back, in words.
pub fn lacks(export: &str) -> Vec<String> {
    let mut missing: Vec<String> = NEVER.map(str::to_owned).into();
    for statement in lex::statements(export) {
        if !matches!(statement.verb.as_deref(), Some("add" | "set")) {
            continue;
        }
        let menu = statement.menu.as_str();
        let Some((_, hidden, of)) = HIDDEN.iter().find(|(hides, ..)| *hides == menu) else {
            continue;
        };
        let says = |name: &str| {
            statement.arguments.iter().any(|(said, value)| said == name && value != "no")
        };
        let has = statement.arguments.iter().any(|(name, _)| name.ends_with(hidden));
        if !has && of.is_none_or(says) {
            let words = format!("{hidden} of {menu}");
            if !missing.contains(&words) {
                missing.push(words);
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const EXPORT: &str = "# 2026-11-22 02:00:00 by RouterOS 7.16.1\n/interface pppoe-client\n\
        add interface=ether1 name=pppoe-out1 user=ann\n/interface wifi security\n\
        add name=home passphrase=\"three odd words\"\n/tr069-client\nset acs-url=http://old/\n";

    #[test]
    fn what_leads_the_device_back_comes_first_and_last() {
        let login = Login {
            username: "E48D8C-1".to_owned(),
            password: "a\"b$c".to_owned(),
            wake_username: "w".to_owned(),
            wake_password: "x".to_owned(),
        };
        let made = script("# mine", EXPORT.as_bytes(), "http://acs:7547/", Some(&login));
        let script = String::from_utf8(made).unwrap();
        let lines: Vec<&str> = script.lines().collect();
        let back: Vec<usize> =
            (0..lines.len()).filter(|at| lines[*at].starts_with("/tr069-client set ")).collect();
        let export = lines.iter().position(|line| *line == "/interface pppoe-client");
        assert_eq!(lines[..2], ["# mine", ":delay 15s"]);
        assert_eq!((back.as_slice(), export), ([2, lines.len() - 1].as_slice(), Some(4)));
        assert_eq!(lines[2], lines[lines.len() - 1]);
        for part in ["acs-url=\"http://acs:7547/\"", "password=\"a\\\"b\\$c\"", " enabled=yes"] {
            assert!(lines[2].contains(part), "{}", lines[2]);
        }
        assert!(script.ends_with('\n') && script.contains("acs-url=http://old/"));
        let without = super::script("# mine", EXPORT.as_bytes(), "http://acs/", None);
        let without = String::from_utf8(without).unwrap();
        assert!(!without.contains("username"), "{without}");
    }

    #[test]
    fn an_export_is_given_back_byte_by_byte() {
        // Latin-1, and the last line without an end.
        let export = b"/interface bridge\r\nadd comment=\"\xe4\" name=b";
        let made = script("# mine", export, "http://acs/", None);
        let at = made.windows(export.len()).position(|part| part == export).unwrap();
        assert!(made[at + export.len()..].starts_with(b"\n:do {"));
    }

    #[test]
    fn the_way_back_of_an_old_script_is_not_given_back() {
        let export = "/system scheduler\nadd interval=10m name=muster-rescue on-event=x\n";
        let made = script("# mine", export.as_bytes(), "http://acs/", None);
        let made = String::from_utf8(made).unwrap();
        let (_, after) = made.split_once("on-event=x\n").unwrap();
        assert!(
            after.contains("/system scheduler remove [find name=\"muster-rescue\"]"),
            "{after}"
        );
    }

    #[test]
    fn what_an_export_hides_is_said_and_what_it_has_is_not() {
        let lacks = lacks(EXPORT);
        assert_eq!(lacks[..2], NEVER);
        assert_eq!(lacks[2..], ["password of /interface/pppoe-client"]);
        let lacks = |export: &str| super::lacks(export).split_off(NEVER.len());
        let radio = "/interface wifi\nset [ find default-name=wifi1 ] configuration.mode=ap";
        assert!(lacks(radio).is_empty(), "its profile has it");
        let own = format!("{radio} security.authentication-types=wpa2-psk\n");
        assert_eq!(lacks(&own), ["passphrase of /interface/wifi"]);
        let server = "/interface l2tp-server server\nset enabled=yes use-ipsec=";
        assert_eq!(
            lacks(&format!("{server}yes")),
            ["ipsec-secret of /interface/l2tp-server/server"]
        );
        assert!(lacks(&format!("{server}no")).is_empty());
    }
}
