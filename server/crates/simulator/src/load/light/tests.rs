//! One light device, without an ACS.

#![expect(clippy::unwrap_used, reason = "tests")]

use muster_cwmp::rpc::GetParameterNames;

use super::*;
use crate::manifest::Package;

fn device() -> Device {
    let options = LightOptions {
        acs_addr: SocketAddr::from(([127, 0, 0, 1], 1)),
        devices: 300,
        interval: Duration::from_secs(60),
        reboot_time: Duration::ZERO,
        connections: 1,
    };
    Device::new(Arc::new(World::new(options).unwrap()), 0xAB)
}

fn read(device: &mut Device, name: &str) -> Vec<ParameterValue> {
    match device.answer(Request::GetParameterValues(vec![name.to_owned()])) {
        Ok(Response::GetParameterValues(values)) => values,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_is_itself_in_what_it_shares() {
    let mut device = device();
    let inform = device.inform();
    assert_eq!(inform.device_id.serial_number, "0000000000AB");
    assert_eq!(inform.by_suffix(".DeviceInfo.SoftwareVersion"), Some("7.12.1"));
    assert_eq!(inform.by_suffix(".DeviceInfo.X_MIKROTIK_ArchName"), Some("arm"));
    assert!(inform.parameters.iter().all(|p| p.value != PLACEHOLDER));

    let values = read(&mut device, "Device.");
    let names = GetParameterNames { path: "Device.".to_owned(), next_level: false };
    match device.answer(Request::GetParameterNames(names)) {
        Ok(Response::GetParameterNames(names)) => assert_eq!(names.len(), values.len()),
        other => panic!("{other:?}"),
    }
    assert!((20..40).contains(&values.len()), "{}", values.len());
    assert_eq!(read(&mut device, names::INTERVAL)[0].value, "60");
    assert!(read(&mut device, "Device.Nothing.").is_empty());
}

#[tokio::test]
async fn it_takes_upgrades_and_no_other_files() {
    let mut device = device();
    let mut call = Download {
        command_key: "k".to_owned(),
        file_type: "3 Vendor Configuration File".to_owned(),
        url: "http://127.0.0.1:1/x.alter".to_owned(),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    };
    assert!(device.answer(Request::Download(call.clone())).is_err());
    assert!(device.order.is_none() && device.answer(Request::FactoryReset).is_err());
    call.file_type = FIRMWARE.to_owned();
    assert!(device.answer(Request::Download(call)).is_ok());
    assert!(device.order.is_some());
}

#[tokio::test]
async fn it_becomes_what_the_main_package_of_its_architecture_is() {
    let mut device = device();
    let package = |name: &str, arch| Package {
        name: name.to_owned(),
        version: RosVersion::release(7, 16, 1),
        arch,
    };
    let other = vec![package(MAIN, Arch::Arm64), package("wireless", ARCH)];
    device.install(&Arrival::Firmware(other));
    assert_eq!(device.version, FIRST);
    device.install(&Arrival::Firmware(vec![package(MAIN, ARCH)]));
    assert_eq!(device.version.to_string(), "7.16.1");
    assert_eq!(device.world.upgrades[0xAB].load(Relaxed), 1);
}

#[tokio::test]
async fn files_that_do_not_come_are_reported_and_change_nothing() {
    let mut device = device();
    let order = Download {
        command_key: "k".to_owned(),
        file_type: FIRMWARE.to_owned(),
        // Nobody listens there.
        url: "http://127.0.0.1:1/upgrade.xml".to_owned(),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    };
    device.upgrade(&order).await;
    let Some(Request::TransferComplete(report)) = device.outbox.first() else {
        panic!("{:?}", device.outbox)
    };
    assert!(report.fault.is_some() && report.command_key == "k");
    assert_eq!(device.version, FIRST);
    assert!(device.events.iter().all(|event| event.event_code != "1 BOOT"));
}
