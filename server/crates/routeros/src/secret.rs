//! Which parameters of RouterOS hold secrets.
//!
//! Owns their names: those that an export of RouterOS 7 leaves out, those that it shows although they
//! let somebody in, the older ones of RouterOS 6, and all that end as such names do. Where a name is
//! secret in one menu and harmless in another, the menu decides.

/// How names end whose values are secret, in any menu.
const ENDINGS: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "private-key",
    "preshared-key",
    "pre-shared-key",
    "protection-key",
    "psk",
    "auth-key",
    "authentication-key",
    "ah-key",
    "enc-key",
    "encryption-key",
    "md5-key",
    "-pin",
    "token",
    "community",
];
/// Names that are secret in any menu.
const NAMES: [&str; 8] = [
    "pin",
    "pin-number",
    "cak",
    "key-val",
    "static-key-0",
    "static-key-1",
    "static-key-2",
    "static-key-3",
];
/// Names that are secret in these menus and those below them.
const IN_MENUS: [(&str, &str); 6] = [
    ("/container/envs", "value"),
    ("/iot", "key"),
    ("/ip/ipsec", "key"),
    ("/routing", "key"),
    ("/snmp/community", "name"),
    ("/zerotier", "identity"),
];
/// How variables of scripts, and headers of what they fetch, are called as well that hold a secret.
const OF_VARIABLES: [&str; 8] = [
    "pass",
    "pwd",
    "privatekey",
    "presharedkey",
    "secretkey",
    "apikey",
    "api-key",
    "authorization",
];
/// Commands that give a variable a value, which stands behind its name.
pub(crate) const ASSIGNS: [&str; 3] = [":local", ":global", ":set"];

/// What may stand between a name, its `=` and its value.
const BETWEEN: [char; 6] = [' ', '\t', '\r', '\n', '\\', '"'];

/// Whether a parameter of this name is secret wherever it stands.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || ENDINGS.iter().any(|end| name.ends_with(end))
}

/// Whether a parameter of this name is secret in this menu, in one below it or in one above it: what
/// is in a block may be further down than its menu says.
pub(crate) fn is_secret_in(menu: &str, name: &str) -> bool {
    let is_below = |menu: &str, above: &str| {
        menu.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let near = |of: &str| is_below(menu, of) || (menu != "/" && is_below(of, menu));
    is_secret(name)
        || IN_MENUS.iter().any(|(of, secret)| name.eq_ignore_ascii_case(secret) && near(of))
}

/// Whether a variable of this name may hold a secret.
pub(crate) fn is_secret_variable(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_secret(name) || OF_VARIABLES.iter().any(|end| lower.ends_with(end))
}

/// Whether a text has a secret in it by the look of it: `password: x`, `psk=x`, `:global psk x`.
pub(crate) fn tells(text: &str) -> bool {
    names(text) || assigns(text)
}

/// Whether a secret stands behind its name and a sign.
fn names(text: &str) -> bool {
    text.char_indices().filter(|(_, c)| matches!(c, ':' | '=')).any(|(at, _)| {
        let before = text[..at].trim_end_matches(BETWEEN);
        let name = before.rsplit(|c| !is_name(c)).next().unwrap_or_default();
        is_secret_variable(name) && is_value(&text[at + 1..])
    })
}

/// Whether a variable gets a secret. It may stand in a string within a string, quotes and ends of lines
/// escaped.
fn assigns(text: &str) -> bool {
    let commands = ASSIGNS.iter().flat_map(|command| text.match_indices(command));
    commands.map(|(at, command)| &text[at + command.len()..]).any(|behind| {
        let named = behind.trim_start_matches(BETWEEN);
        let (name, behind_it) = named.split_at(named.find(|c| !is_name(c)).unwrap_or(named.len()));
        let is_quoted = behind[..behind.len() - named.len()].contains('"');
        let behind_it =
            behind_it.trim_start_matches(|c: char| is_quoted && matches!(c, '\\' | '"'));
        let value = behind_it.trim_start_matches([' ', '\t']);
        let has_room = value.len() < behind_it.len();
        // A function is no value: what is secret in it is told for itself.
        let is_none = is_end(value) || value.starts_with("do=");
        is_secret_variable(name) && has_room && !is_none && is_value(value)
    })
}

/// Whether a statement ends here.
fn is_end(text: &str) -> bool {
    let bare = text.trim_start_matches('\\');
    let is_escaped = bare.len() < text.len();
    text.starts_with([';', '}', ']', ')', '\r', '\n'])
        || (is_escaped && bare.starts_with(['r', 'n']))
}

/// Whether there is a value here that is not hidden already.
fn is_value(text: &str) -> bool {
    let value = text.trim_start_matches(BETWEEN);
    !value.is_empty() && !value.starts_with("********")
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manual's list of what an export hides.
    const HIDDEN: &str = "\
        /container: password
        /ip/hotspot: mac-auth-password password otp-secret
        /iot: password key
        /interface/gre: ipsec-secret
        /interface/ppp-client: password pin
        /interface/pppoe-client: password
        /interface/l2tp-client: ipsec-secret password
        /ppp/secret: password
        /ppp/l2tp-secret: secret
        /ip/ssh/export-host-key: passphrase
        /ip/ipsec: auth-key enc-key ppk-secret secret password passphrase key
        /ip/ipsec/key: key
        /system/backup: password
        /user: password passphrase
        /disk: nvme-tcp-server-password nvme-tcp-password smb-server-password smb-password
        /disk: self-encryption-password encryption-key sshfs-password
        /interface/macsec: cak
        /interface/wireguard: private-key preshared-key
        /interface/wireguard/peers: private-key preshared-key
        /interface/lte: pin password
        /ip/smb: password
        /ip/cloud: vpn-private-key vpn-peer-private-key private-key
        /password: old-password new-password confirm-new-password
        /radius: secret
        /routing: password tcp-md5-key auth-key key
        /snmp/community: authentication-password encryption-password
        /system/ntp/key: key-val
        /tool/romon: secrets
        /tool/sms: sim-pin secret
        /tool/e-mail: password
        /tr069-client: connection-request-password password
        /user-manager: web-private-password paypal-password shared-secret password otp-secret
        /interface/wifi: passphrase eap-password
        /interface/wifi/security: passphrase
        /caps-man: private-passphrase passphrase
        /interface/wireless: static-key-0 static-key-3 static-sta-private-key nv2-preshared-key
        /interface/wireless: management-protection-key private-key private-pre-shared-key
        /interface/wireless: wpa-pre-shared-key wpa2-pre-shared-key mschapv2-password
        /zerotier: identity
        /certificate: export-passphrase passphrase challenge-password pin key-passphrase
        /certificate: challenge-passphrase";
    /// What RouterOS 6 shows, and what no version hides although it lets somebody in.
    const SHOWN: &str = "\
        /routing/ospf/interface: authentication-key
        /routing/rip/interface: authentication-key
        /routing/bgp/peer: tcp-md5-key
        /ip/ipsec/manual-sa: ah-key esp-auth-key esp-enc-key
        /lcd/pin: pin-number
        /snmp: trap-community
        /snmp/community: name
        /container/envs: value";

    #[test]
    fn what_an_export_hides_or_should_is_secret() {
        for line in HIDDEN.lines().chain(SHOWN.lines()) {
            let (menu, names) = line.trim().split_once(": ").expect("a menu and names");
            for name in names.split(' ') {
                assert!(is_secret_in(menu, name), "{menu} {name}");
            }
        }
    }

    #[test]
    fn some_names_are_secret_in_some_menus() {
        assert!(is_secret_in("/routing/rip/keys/add", "key"));
        assert!(is_secret_in("/ip", "key"));
        assert!(is_secret_in("/zerotier", "Identity"));
        assert!(!is_secret_in("/system/ssh-keys", "key"));
        assert!(!is_secret_in("/routingx", "key"));
        assert!(!is_secret_in("/", "identity"));
        assert!(!is_secret_in("/interface/wireguard/peers", "public-key"));
        assert!(!is_secret_in("/ip/address", "address"));
        assert!(!is_secret_in("/ip/pool", "name"));
        assert!(!is_secret_in("/lcd/pin", "hide-pin-number"));
        assert!(!is_secret_in("/routing/filter", "set-bgp-communities"));
    }

    #[test]
    fn secrets_are_told_by_the_word_before_them() {
        for text in [
            "# password: x",
            "the psk = abc",
            "wifiPass=1",
            "Secret:y",
            "password=\\\"x\\\"",
            "Authorization: Bearer x",
            ":global psk x",
            "{:local vpnPass \\\"x\\\"\\r\\n}",
            ":set \"vpn-pass\" \"x\"",
        ] {
            assert!(tells(text), "{text}");
        }
        for text in [
            "password",
            "ask for the password:",
            "password= \\\"********\\\"",
            "a=b",
            "time 12:00",
            ":global psk",
            ":global psk; :put 1",
            ":global psk\\r\\n:put 1",
            ":global psk \\\\r\\\\n:put 1",
            ":global getToken do={ :return 1 }",
            ":global psk \\\"********\\\"",
            "\u{e9}=1",
            "",
        ] {
            assert!(!tells(text), "{text}");
        }
    }
}
