//! RouterOS scripts: enough of the language to carry out what provisioning scripts do, and the texts
//! that a board writes itself (its default configuration, its log). Its `/export` is
//! [`crate::export`]'s.
//!
//! Pure. [`syntax`] reads a script, `run` carries it out on a [`crate::board::Board`], whose menus
//! take whatever they are told: only commands that change something besides them are known by name.

use muster_routeros::quote::quote;

use crate::model::Model;

mod commands;
mod menu;
mod run;
mod syntax;
pub(crate) mod value;

pub(crate) use run::run;

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

/// RouterOS time: `90`, `90s`, `1m30s`, `1d2h`, `00:01:30`; whole seconds.
pub(crate) fn seconds(text: &str) -> Option<u32> {
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

/// A time as RouterOS writes it: `5m`, `1d2h`, `1m30s`.
pub(crate) fn duration(seconds: u32) -> String {
    let mut left = seconds;
    let mut text = String::new();
    for (unit, size) in [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        if left >= size {
            text += &format!("{}{unit}", left / size);
            left %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
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
        ":if ([:len [/ip dhcp-client find where interface=ether1]]=0) do={{\n    \
         /ip dhcp-client add interface=ether1 disabled=no\n}}\n\
         /tr069-client set acs-url={} enabled=yes periodic-inform-enabled=yes \
         periodic-inform-interval={interval}s username={} password={}\n",
        quote(acs_url),
        quote(username),
        quote(password),
    )
}

#[cfg(test)]
mod tests;
