//! Which parameters of RouterOS hold secrets.
//!
//! Owns their names: those that an export leaves out, and those that end as such names do. Where a
//! name is secret in one menu and harmless in another, the menu decides.

/// How names end whose values are secret, in any menu.
const ENDINGS: [&str; 17] = [
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
    "enc-key",
    "encryption-key",
    "md5-key",
    "-pin",
    "token",
];
/// Names that are secret in any menu.
const NAMES: [&str; 7] =
    ["pin", "cak", "key-val", "static-key-0", "static-key-1", "static-key-2", "static-key-3"];
/// Names that are secret in these menus and those below them.
const IN_MENUS: [(&str, &str); 4] =
    [("/iot", "key"), ("/ip/ipsec", "key"), ("/routing", "key"), ("/zerotier", "identity")];
/// How variables of scripts are called as well that hold a secret.
const OF_VARIABLES: [&str; 6] =
    ["pass", "pwd", "privatekey", "presharedkey", "secretkey", "apikey"];

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

/// Whether a text has a secret in it by the look of it: `password: x`, `psk=x`.
pub(crate) fn tells(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.char_indices().filter(|(_, c)| matches!(c, ':' | '=')).any(|(at, _)| {
        let before = text[..at].trim_end_matches(BETWEEN);
        let name = before.rsplit(|c| !is_name(c)).next().unwrap_or_default();
        // One that is hidden already is told no more.
        let value = text[at + 1..].trim_start_matches(BETWEEN);
        is_secret_variable(name) && !value.is_empty() && !value.starts_with("********")
    })
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

    #[test]
    fn what_an_export_hides_is_secret() {
        for line in HIDDEN.lines() {
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
    }

    #[test]
    fn secrets_are_told_by_the_word_before_them() {
        for text in
            ["# password: x", "the psk = abc", "wifiPass=1", "Secret:y", "password=\\\"x\\\""]
        {
            assert!(tells(text), "{text}");
        }
        for text in [
            "password",
            "ask for the password:",
            "password= \\\"********\\\"",
            "a=b",
            "time 12:00",
            "\u{e9}=1",
            "",
        ] {
            assert!(!tells(text), "{text}");
        }
    }
}
