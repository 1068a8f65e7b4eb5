//! RouterOS scripts: enough of the language to carry out what provisioning scripts do, and the
//! texts that a board writes itself (`/export`, its default configuration, its log).
//!
//! Pure. Owns quoting in both directions (routeros.md section 11). Lines it does not understand are
//! skipped, as far as the next line: a simulated board has no full RouterOS behind it.

use crate::model::Model;
use crate::profile::Identity;

/// `ManagementServer` and other parameters that scripts and the device itself touch.
pub(crate) mod names {
    pub(crate) const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
    pub(crate) const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
    pub(crate) const PROVISIONING_CODE: &str = "Device.DeviceInfo.ProvisioningCode";
    pub(crate) const URL: &str = "Device.ManagementServer.URL";
    pub(crate) const USERNAME: &str = "Device.ManagementServer.Username";
    pub(crate) const PASSWORD: &str = "Device.ManagementServer.Password";
    pub(crate) const PERIODIC: &str = "Device.ManagementServer.PeriodicInformEnable";
    pub(crate) const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
    pub(crate) const REQUEST_URL: &str = "Device.ManagementServer.ConnectionRequestURL";
    pub(crate) const REQUEST_USERNAME: &str = "Device.ManagementServer.ConnectionRequestUsername";
    pub(crate) const REQUEST_PASSWORD: &str = "Device.ManagementServer.ConnectionRequestPassword";
    pub(crate) const DNS_SERVERS: &str = "Device.DNS.Client.Server.";
    pub(crate) const WAN_ADDRESS: &str = "Device.DHCPv4.Client.1.IPAddress";
}

/// One command: `/system identity set name=x` is menu `/system/identity`, verb `set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// With slashes, in either way of writing.
    pub menu: String,
    /// `set`, `add` ...
    pub verb: String,
    /// `name=value` words, unquoted.
    pub arguments: Vec<(String, String)>,
}

/// The commands of a script, with menus carried over from `/menu` lines and `/menu { ... }` blocks.
pub fn parse(text: &str) -> Vec<Command> {
    let mut menu: Vec<String> = Vec::new();
    let mut commands = Vec::new();
    for words in statements(text) {
        let bare = words.iter().take_while(|word| !word.contains('=')).count();
        let (path, arguments) = words.split_at(bare);
        let absolute = path.first().is_some_and(|word| word.starts_with('/'));
        let mut steps: Vec<String> = if absolute { Vec::new() } else { menu.clone() };
        let parts = path.iter().flat_map(|word| word.split('/')).filter(|part| !part.is_empty());
        steps.extend(parts.map(str::to_owned));
        let is_verb = |step: &String| matches!(step.as_str(), "set" | "add" | "remove" | "import");
        let Some(at) = steps.iter().position(is_verb) else {
            if absolute {
                menu = steps;
            }
            continue;
        };
        let arguments = arguments
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let menu_of = format!("/{}", steps[..at].join("/"));
        if absolute {
            menu = steps[..at].to_vec();
        }
        commands.push(Command { menu: menu_of, verb: steps[at].clone(), arguments });
    }
    commands
}

/// Carries out what it understands of a script; the number of commands that it did understand.
pub fn apply(text: &str, model: &mut Model) -> usize {
    let mut understood = 0;
    for command in parse(text) {
        for (name, value) in &command.arguments {
            let done = match (command.menu.as_str(), command.verb.as_str(), name.as_str()) {
                ("/ip/dns", "set", "servers") => set_dns(value, model),
                (menu, "set", name) => set_parameter(menu, name, value, model),
                _ => false,
            };
            understood += usize::from(done);
        }
    }
    understood
}

fn set_parameter(menu: &str, name: &str, value: &str, model: &mut Model) -> bool {
    let interval;
    let (parameter, value) = match (menu, name) {
        ("/system/identity", "name") => (names::IDENTITY, value),
        ("/tr069-client", "acs-url") => (names::URL, value),
        ("/tr069-client", "username") => (names::USERNAME, value),
        ("/tr069-client", "password") => (names::PASSWORD, value),
        ("/tr069-client", "provisioning-code") => (names::PROVISIONING_CODE, value),
        ("/tr069-client", "connection-request-username") => (names::REQUEST_USERNAME, value),
        ("/tr069-client", "connection-request-password") => (names::REQUEST_PASSWORD, value),
        ("/tr069-client", "periodic-inform-enabled") => {
            (names::PERIODIC, if value == "yes" { "1" } else { "0" })
        }
        ("/tr069-client", "periodic-inform-interval") => {
            let Some(seconds) = seconds(value).filter(|seconds| *seconds > 0) else { return false };
            interval = seconds.to_string();
            (names::INTERVAL, interval.as_str())
        }
        _ => return false,
    };
    model.put(parameter, value);
    true
}

fn set_dns(servers: &str, model: &mut Model) -> bool {
    let key = model.value("Device.ManagementServer.ParameterKey").to_owned();
    for row in model.rows(names::DNS_SERVERS) {
        if model.delete(&format!("{}{row}.", names::DNS_SERVERS), &key).is_err() {
            return false;
        }
    }
    for server in servers.split(',').filter(|server| !server.is_empty()) {
        let Ok(row) = model.add(names::DNS_SERVERS, &key) else { return false };
        let cell = |name: &str| format!("{}{row}.{name}", names::DNS_SERVERS);
        model.put(&cell("DNSServer"), server);
        model.put(&cell("Enable"), "1");
        model.put(&cell("Status"), "Enabled");
    }
    true
}

/// RouterOS time: `90`, `90s`, `1m30s`, `1d2h`, `00:01:30`; whole seconds.
fn seconds(text: &str) -> Option<u32> {
    if text.contains(':') {
        return text
            .split(':')
            .try_fold(0_u32, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?));
    }
    let mut sum = 0_u32;
    let mut digits = String::new();
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        sum = sum.checked_add(digits.parse::<u32>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    if digits.is_empty() { Some(sum) } else { sum.checked_add(digits.parse().ok()?) }
}

/// The script's statements as unquoted words. Ends of lines, `;`, `{` and `}` end one.
fn statements(text: &str) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Vec<u8> = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let ends_statement = matches!(byte, b'\n' | b';' | b'{' | b'}');
        if ends_statement || byte.is_ascii_whitespace() {
            if !word.is_empty() {
                let done = String::from_utf8_lossy(&std::mem::take(&mut word)).into_owned();
                out.last_mut().expect("there is always an open statement").push(done);
            }
            if ends_statement {
                out.push(Vec::new());
            }
        } else if byte == b'#' && word.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            rest = &rest[end..];
        } else if byte == b'"' {
            rest = quoted(rest, &mut word);
        } else if byte == b'\\' && matches!(rest.first(), Some(b'\n' | b'\r')) {
            rest = rest.trim_ascii_start();
        } else {
            word.push(byte);
        }
    }
    if !word.is_empty() {
        let done = String::from_utf8_lossy(&word).into_owned();
        out.last_mut().expect("there is always an open statement").push(done);
    }
    out.retain(|words| !words.is_empty());
    out
}

/// Reads up to the closing quote into `word`; gives what follows it.
fn quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> &'a [u8] {
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'"' => break,
            b'\\' => rest = escape(rest, word),
            _ => word.push(byte),
        }
    }
    rest
}

fn escape<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> &'a [u8] {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match rest {
        // RouterOS asks for capitals, so `\a` and `\b` stay what they are.
        [a @ (b'0'..=b'9' | b'A'..=b'F'), b @ (b'0'..=b'9' | b'A'..=b'F'), tail @ ..] => {
            word.extend(hex(*a).zip(hex(*b)).map(|(a, b)| (a << 4) | b));
            tail
        }
        // An export wraps long lines within quotes too.
        [b'\n' | b'\r', ..] => rest.trim_ascii_start(),
        [byte, tail @ ..] => {
            word.push(match byte {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'_' => b' ',
                other => *other,
            });
            tail
        }
        [] => rest,
    }
}

/// A quoted RouterOS string.
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'\\' | b'"' | b'$' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            // Interactive v6 takes a question mark for a call for help.
            b'?' => out.push_str("\\3F"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out.push('"');
    out
}

/// What `/export` prints (routeros.md section 12): secrets are left out. `time` is the header's.
pub fn export(model: &Model, identity: &Identity, time: &str) -> String {
    let profile = identity.profile();
    let dns: Vec<&str> = model
        .rows(names::DNS_SERVERS)
        .into_iter()
        .map(|row| model.value(&format!("{}{row}.DNSServer", names::DNS_SERVERS)))
        .collect();
    let mut text = format!(
        "# {time} by RouterOS {}\n# software id = {}-{}\n#\n# model = {}\n# serial number = {}\n",
        model.value(names::VERSION),
        &identity.request_path[..4].to_uppercase(),
        &identity.request_path[4..8].to_uppercase(),
        profile.board,
        identity.serial,
    );
    text += "/interface bridge\nadd admin-mac=";
    text += &identity.mac(1);
    text += " auto-mac=no name=bridge\n/interface bridge port\n";
    for port in 2..=profile.ports {
        text += &format!("add bridge=bridge interface=ether{port}\n");
    }
    text += "/ip address\nadd address=192.168.88.1/24 interface=bridge network=192.168.88.0\n";
    text += "/ip dhcp-client\nadd interface=ether1\n";
    text += &format!("/ip dns\nset servers={}\n", dns.join(","));
    text += "/ip firewall filter\n\
             add action=accept chain=input connection-state=established,related\n\
             add action=drop chain=input in-interface=ether1\n";
    text += "/ip firewall nat\nadd action=masquerade chain=srcnat out-interface=ether1\n";
    text += &format!("/system identity\nset name={}\n", quote(model.value(names::IDENTITY)));
    let enabled = if model.value(names::PERIODIC) == "1" { "yes" } else { "no" };
    text += &format!(
        "/tr069-client\nset acs-url={} enabled=yes periodic-inform-enabled={enabled} \\\n    \
         periodic-inform-interval={}s provisioning-code={} username={}\n",
        quote(model.value(names::URL)),
        model.value(names::INTERVAL),
        quote(model.value(names::PROVISIONING_CODE)),
        quote(model.value(names::USERNAME)),
    );
    text
}

/// What `/log/print` shows; `failures` is the count of sessions in vain.
pub fn log(model: &Model, failures: u32, time: &str) -> String {
    let mut text = format!(
        "{time} system,info router rebooted\n\
         {time} interface,info ether1 link up (full duplex)\n\
         {time} dhcp,info dhcp-client on ether1 got IP address {}\n\
         {time} system,info RouterOS {} on {}\n",
        model.value(names::WAN_ADDRESS),
        model.value(names::VERSION),
        model.value(names::IDENTITY),
    );
    if failures > 0 {
        text += &format!("{time} tr069,error {failures} sessions failed\n");
    }
    text
}

/// The default configuration that a factory reset runs: what points the board at its ACS.
pub fn factory(acs_url: &str, username: &str, password: &str, interval: u64) -> String {
    format!(
        "/ip dhcp-client add interface=ether1 disabled=no\n\
         /tr069-client set acs-url={} enabled=yes periodic-inform-enabled=yes \
         periodic-inform-interval={interval}s username={} password={}\n",
        quote(acs_url),
        quote(username),
        quote(password),
    )
}

#[cfg(test)]
mod tests;
