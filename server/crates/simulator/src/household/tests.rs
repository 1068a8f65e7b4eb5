//! What a fleet looks like from its devices' data models.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::catalogue::Catalogue;
use crate::profile::PROFILES;

/// Devices of the fleet that the tests look at.
const FLEET: u32 = 400;

/// Who they are, and what they hold.
fn fleet(seed: u64) -> Vec<(Identity, Model)> {
    let bases: Vec<Arc<Catalogue>> =
        PROFILES.iter().map(|profile| Arc::new(Catalogue::new(profile))).collect();
    let device = |index| {
        let identity = Identity::derive(seed, index);
        let mut model = Model::new(Arc::clone(&bases[identity.profile_index]));
        furnish(&mut model, &identity);
        (identity, model)
    };
    (0..FLEET).map(device).collect()
}

/// The cells of one name of all rows of a table.
fn column<'m>(model: &'m Model, table: &str, cell: &str) -> Vec<&'m str> {
    let rows = model.rows(table).into_iter();
    rows.map(|row| model.value(&format!("{table}{row}.{cell}"))).collect()
}

fn count(model: &Model, table: &str) -> String {
    model.value(&crate::catalogue::counter_of(table)).to_owned()
}

/// Whether all of these differ.
fn distinct<T: Ord>(list: &[T]) -> bool {
    list.iter().collect::<BTreeSet<_>>().len() == list.len()
}

#[test]
fn a_device_has_the_same_around_it_each_time_and_others_have_not() {
    let all = ["Device.".to_owned()];
    let [one, same, other] =
        [7, 7, 8].map(|seed| fleet(seed).into_iter().map(|(_, m)| m.get(&all)).collect::<Vec<_>>());
    assert_eq!(one, same);
    assert!(one.iter().zip(&other).all(|(a, b)| a != b));
}

#[test]
fn no_two_have_an_address_in_common() {
    let (mut macs, mut addresses) = (Vec::new(), Vec::new());
    for (identity, model) in fleet(1) {
        let profile = identity.profile();
        macs.extend((1..=profile.ports).map(|port| identity.mac(port)));
        macs.extend(column(&model, "Device.WiFi.SSID.", "BSSID").into_iter().map(str::to_owned));
        macs.extend(column(&model, HOSTS, "PhysAddress").into_iter().map(str::to_owned));
        let address = model.value(names::WAN_ADDRESS);
        assert_eq!(model.value("Device.IP.Interface.1.IPv4Address.3.IPAddress"), address);
        addresses.push(address.to_owned());
    }
    assert!(macs.iter().all(|mac| mac.len() == 17));
    assert!(distinct(&macs) && distinct(&addresses));
    assert_eq!(addresses[0], "100.64.0.10");
}

#[test]
fn devices_have_three_to_five_hosts_with_names_of_their_own() {
    for (identity, model) in fleet(1) {
        let hosts = column(&model, HOSTS, "HostName");
        assert!((3..=5).contains(&hosts.len()), "{hosts:?}");
        assert_eq!(count(&model, HOSTS), hosts.len().to_string());
        assert!(distinct(&hosts) && hosts.iter().all(|name| !name.contains('{')), "{hosts:?}");
        assert!(distinct(&column(&model, HOSTS, "IPAddress")));
        let ports = identity.profile().ports;
        for layer in column(&model, HOSTS, "Layer1Interface") {
            let port = layer.strip_prefix("Device.Ethernet.Interface.");
            match port.and_then(|rest| rest.strip_suffix('.')?.parse::<u32>().ok()) {
                Some(port) => assert!((2..=ports).contains(&port), "{layer}"),
                None => {
                    assert!(layer.starts_with("Device.WiFi.Radio."), "{layer}");
                    assert!(model.get(&[layer.to_owned()]).is_ok(), "{layer}");
                }
            }
        }
    }
}

#[test]
fn what_comes_by_air_is_among_the_hosts_and_heard_in_its_own_way() {
    let mut without = 0;
    for (identity, model) in fleet(1) {
        if identity.profile().radios == 0 {
            without += 1;
            assert!(model.get(&["Device.WiFi.".to_owned()]).is_err(), "{identity:?}");
            continue;
        }
        let macs = column(&model, HOSTS, "PhysAddress");
        let links = column(&model, HOSTS, "AssociatedDevice");
        let (mut signals, mut all) = (Vec::new(), 0);
        for point in [1, 2] {
            let table = associated_table(point);
            let found = column(&model, &table, "MACAddress");
            assert!(!found.is_empty() && found.len() <= 2, "{identity:?}");
            assert_eq!(count(&model, &table), found.len().to_string());
            all += found.len();
            for (row, mac) in model.rows(&table).into_iter().zip(found) {
                let at = macs.iter().position(|other| *other == mac);
                let row = format!("{table}{row}.");
                assert_eq!(at.map(|at| links[at]), Some(row.as_str()));
                for rate in ["TxRate", "RxRate"] {
                    let rate = model.value(&format!("{row}X_MIKROTIK_Stats.{rate}"));
                    assert!(rate.contains("Mbps-"), "{rate}");
                }
            }
            signals.extend(column(&model, &table, "SignalStrength"));
        }
        assert!((2..=4).contains(&all) && distinct(&signals), "{signals:?}");
        assert_eq!(links.iter().filter(|link| !link.is_empty()).count(), all);
    }
    assert!((1..FLEET).contains(&without));
}

#[test]
fn networks_are_named_apart_and_on_radios_that_are_there() {
    let (mut ssids, mut identities) = (Vec::new(), Vec::new());
    for (identity, model) in fleet(1) {
        identities.push(model.value(names::IDENTITY).to_owned());
        let called = column(&model, "Device.WiFi.SSID.", "SSID");
        assert_eq!(called.len(), if identity.profile().radios == 0 { 0 } else { 2 });
        for radio in column(&model, "Device.WiFi.SSID.", "LowerLayers") {
            assert!(model.get(&[radio.to_owned()]).is_ok(), "{radio}");
        }
        ssids.extend(called.into_iter().map(str::to_owned));
    }
    assert!(ssids.iter().all(|ssid| (1..=32).contains(&ssid.len())));
    assert!(distinct(&ssids) && distinct(&identities));
}

#[test]
fn every_device_shows_some_hundred_parameters_and_no_password() {
    for (identity, mut model) in fleet(1) {
        for point in [1, 2] {
            let name = format!("Device.WiFi.AccessPoint.{point}.Security.KeyPassphrase");
            model.preset(&name, "hunter2-in-clear");
        }
        let all = model.get(&["Device.".to_owned()]).unwrap_or_default();
        let product = identity.profile().product_class;
        assert!((280..=520).contains(&all.len()), "{product}: {}", all.len());
        assert!(all.iter().all(|p| p.value != "hunter2-in-clear"), "{product}");
    }
}

#[test]
fn burdens_differ_and_few_are_heavy() {
    let burdens: Vec<Burden> = (0..FLEET).map(|n| Burden::of(&Identity::derive(1, n))).collect();
    let share = |which: fn(&Burden) -> bool| burdens.iter().filter(|b| which(b)).count();
    assert!((20..100).contains(&share(|b| b.processor >= 55)));
    assert!((10..80).contains(&share(|b| b.free < 9)));
    assert!(burdens.iter().all(|b| b.processor < 95 && (3..70).contains(&b.free)));
    assert_eq!(burdens[3], Burden::of(&Identity::derive(1, 3)));
}

#[test]
fn what_ails_a_device_is_seen_and_can_be_undone() {
    let all = ["Device.".to_owned()];
    for (identity, healthy) in fleet(1).into_iter().take(40) {
        let mut model = healthy.clone();
        cut_off(&mut model);
        assert_eq!(model.value("Device.IP.Interface.1.Status"), "Down");
        assert_eq!(model.value(names::WAN_ADDRESS), healthy.value(names::WAN_ADDRESS));
        weaken(&mut model);
        for point in [1, 2] {
            let table = associated_table(point);
            let before = column(&healthy, &table, "SignalStrength");
            let after = column(&model, &table, "SignalStrength");
            assert_eq!(after.len(), before.len().min(1), "{identity:?}");
            let signal = |text: &&str| text.parse::<i32>().ok();
            assert!(after.iter().zip(&before).all(|(a, b)| signal(a) < signal(b)));
            let entries = if identity.profile().radios == 0 { "" } else { "1" };
            assert_eq!(count(&model, &table), entries);
        }
        for prefix in SYMPTOMS {
            model.restore(prefix, &healthy);
        }
        assert_eq!(model.get(&all), healthy.get(&all));
    }
}
