//! What values become in a script, and what templates can do with networks.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use muster_routeros::quote::quote;
use tera::value::ValueKind;
use tera::{Error, Kwargs, State, Tera, TeraResult, Value};

use super::place::{CLOSE, OPEN};

/// The filter through which each value comes that is written into a script.
pub(super) const VALUE: &str = "rsc";

/// Filters of the language that have no place in a script: what they give would be written as it is,
/// or is meant for a page.
pub(super) const BANNED: [&str; 5] =
    ["safe", "escape", "escape_html", "escape_xml", "newlines_to_br"];

/// Makes the language one that writes RouterOS scripts.
pub(super) fn install(tera: &mut Tera) {
    tera.set_escape_fn(write_text);
    tera.register_filter(VALUE, value);
    for name in BANNED {
        tera.register_filter(name, banned);
    }
    tera.register_filter("address", address);
    tera.register_filter("network", network);
    tera.register_filter("netmask", netmask);
    tera.register_filter("prefix_length", prefix_length);
    tera.register_filter("host", host);
}

/// Text as one RouterOS string, between the marks by which [`super::place`] finds it.
fn write_text(text: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{OPEN}{}{CLOSE}", quote(text))
}

/// What is written: numbers as they are, yes and no as RouterOS says them, text quoted by
/// [`write_text`] whatever a filter before made of it. Nothing else.
fn value(value: Value, _: Kwargs, _: &State) -> TeraResult<Value> {
    if let Some(text) = value.as_str() {
        return Ok(Value::normal_string(text));
    }
    if let Some(yes) = value.as_bool() {
        return Ok(Value::safe_string(if yes { "yes" } else { "no" }));
    }
    if value.is_number() {
        return Ok(value);
    }
    Err(Error::message(match value.kind() {
        ValueKind::Undefined | ValueKind::None => {
            "there is no value here: ask for it first, as in `{% if name %}`, or give the variable a \
             default"
        }
        ValueKind::Array => {
            "a list is not one value: loop over it, or write `name | join(sep=\",\")`"
        }
        _ => "this is not one value: name what of it is meant, as in `device.serial`",
    }))
}

fn banned(_: Value, _: Kwargs, _: &State) -> TeraResult<Value> {
    Err(Error::message("this filter is not for scripts: values are quoted as RouterOS wants them"))
}

/// An address with the length of its network, or an address alone.
fn net(text: &str) -> TeraResult<IpNet> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Ok(net);
    }
    let address = text.parse::<IpAddr>();
    address
        .map(IpNet::from)
        .map_err(|_| Error::message("this takes an address, such as 192.168.88.1/24"))
}

/// `192.168.88.1` of `192.168.88.1/24`.
fn address(text: &str, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(net(text)?.addr().to_string())
}

/// `192.168.88.0/24` of `192.168.88.1/24`.
fn network(text: &str, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(net(text)?.trunc().to_string())
}

/// `255.255.255.0` of `192.168.88.1/24`.
fn netmask(text: &str, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(net(text)?.netmask().to_string())
}

/// `24` of `192.168.88.1/24`.
fn prefix_length(text: &str, _: Kwargs, _: &State) -> TeraResult<usize> {
    Ok(usize::from(net(text)?.prefix_len()))
}

/// `host(n=10)` of `192.168.88.1/24` is `192.168.88.10`; from the end where `n` is negative, `-2` being
/// the last one before the broadcast address.
fn host(text: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let n: i64 = kwargs.must_get("n")?;
    let net = net(text)?;
    let outside = || Error::message(format!("the network has no host {n}"));
    let (first, last) = match (net.network(), net.broadcast()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits())),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits()),
        _ => return Err(outside()),
    };
    let distance = u128::from(n.unsigned_abs());
    let at = if n >= 0 { first.checked_add(distance) } else { last.checked_sub(distance - 1) };
    let at = at.filter(|at| (first..=last).contains(at)).ok_or_else(outside)?;
    Ok(match net {
        IpNet::V4(_) => {
            let bits = u32::try_from(at).map_err(|_| outside())?;
            Ipv4Addr::from_bits(bits).to_string()
        }
        IpNet::V6(_) => Ipv6Addr::from_bits(at).to_string(),
    })
}
