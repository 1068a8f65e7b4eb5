//! The parameter RPCs against the real catalogue.

#![expect(clippy::unwrap_used, reason = "tests")]

use muster_cwmp::value::ValueType;
use proptest::prelude::*;

use super::*;
use crate::profile::PROFILES;

const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
const ROUTES: &str = "Device.Routing.Router.1.IPv4Forwarding.";

fn model() -> Model {
    Model::new(Arc::new(Catalogue::new(&PROFILES[1])))
}

fn read(model: &Model, name: &str) -> String {
    model.get(&[name.to_owned()]).unwrap()[0].value.clone()
}

fn set(model: &mut Model, parameters: Vec<ParameterValue>) -> Result<(), Fault> {
    model.set(&SetParameterValues { parameters, parameter_key: "key-1".to_owned() })
}

fn notify(name: &str, notification: u8) -> SetParameterAttributes {
    SetParameterAttributes {
        name: name.to_owned(),
        notification: Some(notification),
        access_list: None,
    }
}

#[test]
fn the_whole_model_reads_by_root_and_by_empty_path() {
    let model = model();
    let all = model.get(&["Device.".to_owned()]).unwrap();
    assert!(all.len() > 300);
    assert_eq!(model.get(&[String::new()]).unwrap(), all);
    assert!(all.iter().any(|p| p.name == "Device.Hosts.Host.153.HostName"));
    assert!(all.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn unknown_names_are_9005_and_an_empty_table_is_not() {
    let model = model();
    for name in ["Device.Nope", "Device.Nope.", "Device.DeviceInfo", "Device.Hosts.Host.1."] {
        assert_eq!(model.get(&[name.to_owned()]).unwrap_err().code.0, 9005, "{name}");
    }
    assert_eq!(model.get(&[INFORM_PARAMETER.to_owned()]), Ok(Vec::new()));
}

#[test]
fn names_list_one_level_or_all() {
    let model = model();
    let names = |path: &str, next_level| {
        model.names(&GetParameterNames { path: path.to_owned(), next_level })
    };
    let root = names("", true).unwrap();
    assert_eq!(root, [ParameterInfo { name: "Device.".to_owned(), writable: false }]);
    let level = names("Device.", true).unwrap();
    assert!(level.iter().any(|i| i.name == "Device.WiFi."));
    assert!(level.iter().any(|i| i.name == "Device.RootDataModelVersion"));
    assert!(level.iter().all(|i| i.name != "Device." && i.name.matches('.').count() <= 2));
    assert!(names("Device.", false).unwrap().len() > level.len());
    let rows = names(ROUTES, true).unwrap();
    let row = ParameterInfo { name: format!("{ROUTES}4."), writable: true };
    assert!(rows.contains(&row));
    assert_eq!(names(IDENTITY, false).unwrap().len(), 1);
    assert_eq!(names(IDENTITY, true).unwrap_err().code.0, 9003);
    assert_eq!(names("Device.Nope.", true).unwrap_err().code.0, 9005);
}

#[test]
fn a_set_is_atomic_and_names_each_refused_parameter() {
    let mut model = model();
    let channel = "Device.WiFi.Radio.1.Channel";
    let fault = set(
        &mut model,
        vec![
            ParameterValue::string(IDENTITY, "core"),
            ParameterValue::string("Device.Nope", ""),
            ParameterValue::string(channel, "6"),
            ParameterValue::new(channel, "0", ValueType::UnsignedInt),
            ParameterValue::string("Device.DeviceInfo.SerialNumber", "1"),
        ],
    )
    .unwrap_err();
    assert_eq!(fault.code.0, 9003);
    let codes: Vec<u32> = fault.parameters.iter().map(|p| p.code.0).collect();
    assert_eq!(codes, [9005, 9006, 9007, 9008]);
    assert_eq!(read(&model, IDENTITY), "MikroTik");
    assert_eq!(read(&model, PARAMETER_KEY), "");

    set(&mut model, vec![ParameterValue::string(IDENTITY, "core")]).unwrap();
    assert_eq!(read(&model, IDENTITY), "core");
    assert_eq!(read(&model, PARAMETER_KEY), "key-1");
    let twice = vec![ParameterValue::string(IDENTITY, "a"), ParameterValue::string(IDENTITY, "b")];
    assert_eq!(set(&mut model, twice).unwrap_err().parameters, []);
    assert_eq!(read(&model, IDENTITY), "core");
}

#[test]
fn hidden_values_read_back_empty_but_are_kept() {
    let mut model = model();
    let password = "Device.ManagementServer.Password";
    set(&mut model, vec![ParameterValue::string(password, "s3cret")]).unwrap();
    assert_eq!(read(&model, password), "");
    assert_eq!(model.value(password), "s3cret");
}

#[test]
fn rows_come_and_go_and_numbers_are_not_reused() {
    let mut model = model();
    let count = "Device.Routing.Router.1.IPv4ForwardingNumberOfEntries";
    assert_eq!(model.add(ROUTES, "k"), Ok(5));
    assert_eq!(read(&model, &format!("{ROUTES}5.Origin")), "Static");
    assert_eq!(read(&model, count), "3");
    assert_eq!(read(&model, PARAMETER_KEY), "k");
    model.delete(&format!("{ROUTES}5."), "").unwrap();
    model.delete(&format!("{ROUTES}4."), "").unwrap();
    assert_eq!(read(&model, count), "1");
    assert_eq!(model.get(&[format!("{ROUTES}4.")]).unwrap_err().code.0, 9005);
    assert_eq!(model.add(ROUTES, ""), Ok(6));
    for path in ["Device.Hosts.Host.", "Device.", "Device.Nope.", "Device.Routing.Router.1"] {
        assert_eq!(model.add(path, "").unwrap_err().code.0, 9005, "{path}");
        assert_eq!(model.delete(path, "").unwrap_err().code.0, 9005, "{path}");
    }
    assert_eq!(model.delete(ROUTES, "").unwrap_err().code.0, 9005);
}

#[test]
fn a_full_table_is_9004() {
    let mut model = model();
    let added = (0..MAX_ROWS).filter(|_| model.add(INFORM_PARAMETER, "").is_ok()).count();
    assert_eq!(added, MAX_ROWS);
    assert_eq!(model.add(INFORM_PARAMETER, "").unwrap_err().code.0, 9004);
}

#[test]
fn only_the_devices_own_changes_of_notified_parameters_are_reported() {
    let mut model = model();
    model.put(IDENTITY, "silent");
    assert!(model.changes().is_empty());
    model.set_attributes(&[notify(IDENTITY, 1)]).unwrap();
    set(&mut model, vec![ParameterValue::string(IDENTITY, "by the ACS")]).unwrap();
    assert!(model.changes().is_empty());
    model.put(IDENTITY, "by hand");
    assert!(!model.has_active_change());
    model.put("Device.DeviceInfo.SoftwareVersion", "7.16.1");
    assert!(model.has_active_change());
    let inform = model.inform_parameters(&[]);
    assert_eq!(inform.len(), FORCED.len() + 1);
    assert_eq!(inform.last().map(|p| p.value.as_str()), Some("by hand"));
    model.acknowledge_changes();
    assert_eq!(model.inform_parameters(&[]).len(), FORCED.len());
}

#[test]
fn attributes_are_set_whole_or_not_at_all() {
    let mut model = model();
    let uptime = "Device.DeviceInfo.UpTime";
    let version = "Device.DeviceInfo.SoftwareVersion";
    let code = |result: Result<(), Fault>| result.unwrap_err().code.0;
    let both = [notify(IDENTITY, 2), notify(uptime, 2)];
    assert_eq!(code(model.set_attributes(&both)), 9009);
    assert_eq!(code(model.set_attributes(&[notify(version, 0)])), 9009);
    assert_eq!(code(model.set_attributes(&[notify(IDENTITY, 3)])), 9003);
    assert_eq!(code(model.set_attributes(&[notify("Device.Nope", 1)])), 9005);
    assert_eq!(model.attributes(&[IDENTITY.to_owned()]).unwrap()[0].notification, 0);

    let mut subscriber = notify("Device.DeviceInfo.", 2);
    subscriber.access_list = Some(vec!["Subscriber".to_owned()]);
    model.set_attributes(&[subscriber]).unwrap();
    let of = |name: &str| model.attributes(&[name.to_owned()]).unwrap().remove(0);
    assert_eq!((of(IDENTITY).notification, of(uptime).notification), (2, 0));
    assert_eq!(of(IDENTITY).access_list, ["Subscriber"]);
}

#[test]
fn what_is_hidden_is_not_there_and_comes_back_as_it_was() {
    let mut model = model();
    let ssid = "Device.WiFi.SSID.1.SSID";
    set(&mut model, vec![ParameterValue::string(ssid, "Attic")]).unwrap();
    model.set_attributes(&[notify(ssid, 1)]).unwrap();
    model.put(ssid, "Cellar");
    let all = model.get(&[String::new()]).unwrap();

    model.hide(Some("Device.WiFi."));
    assert!(model.changes().is_empty());
    for path in [ssid, "Device.WiFi.", "Device.WiFi.RadioNumberOfEntries"] {
        assert_eq!(model.get(&[path.to_owned()]).unwrap_err().code.0, 9005, "{path}");
    }
    let refused = set(&mut model, vec![ParameterValue::string(ssid, "x")]).unwrap_err();
    assert_eq!(refused.parameters[0].code.0, 9005);
    let left = model.get(&["Device.".to_owned()]).unwrap();
    assert!(left.len() < all.len() && left.iter().all(|p| !p.name.contains(".WiFi.")));

    model.hide(None);
    assert_eq!(model.get(&[String::new()]).unwrap(), all);
}

#[test]
fn what_is_restored_is_as_in_the_other_model() {
    let (mut model, before) = (model(), model());
    model.put(IDENTITY, "core");
    model.delete(&format!("{ROUTES}4."), "").unwrap();
    model.add(ROUTES, "").unwrap();
    model.restore("Device.Routing.", &before);
    assert_eq!(model.rows(ROUTES), before.rows(ROUTES));
    assert_eq!(read(&model, IDENTITY), "core");
    model.restore("", &before);
    assert_eq!(read(&model, IDENTITY), "MikroTik");
}

#[test]
fn inform_parameter_rows_add_to_the_inform() {
    let mut model = model();
    let row = model.add(INFORM_PARAMETER, "").unwrap();
    let cell = |name: &str| format!("{INFORM_PARAMETER}{row}.{name}");
    let name = ParameterValue::string(cell("ParameterName"), "Device.DeviceInfo.ModelName");
    let enable = ParameterValue::new(cell("Enable"), "true", ValueType::Boolean);
    let events = ParameterValue::string(cell("EventList"), "1 BOOT");
    set(&mut model, vec![name, enable, events]).unwrap();
    let event =
        |code: &str| EventStruct { event_code: code.to_owned(), command_key: String::new() };
    assert_eq!(model.inform_parameters(&[event("2 PERIODIC")]).len(), FORCED.len());
    assert_eq!(model.inform_parameters(&[event("1 BOOT")]).len(), FORCED.len() + 1);
}

proptest! {
    #[test]
    fn any_path_gets_an_answer(path in "(Device\\.)?[A-Za-z0-9.{}]{0,40}", next_level: bool) {
        let mut model = model();
        let _ = model.get(std::slice::from_ref(&path));
        let _ = model.names(&GetParameterNames { path: path.clone(), next_level });
        let before = model.get(&[String::new()]).unwrap().len();
        if let Ok(number) = model.add(&path, "") {
            model.delete(&format!("{path}{number}."), "").unwrap();
        }
        prop_assert_eq!(model.get(&[String::new()]).unwrap().len(), before);
    }
}
