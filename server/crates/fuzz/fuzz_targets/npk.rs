//! A package of any bytes: reading it never panics, what it says is within its limits, and what is
//! said of it makes a package that says the same.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use muster_routeros::npk::{NewNpk, Npk, build, read};
use muster_routeros::package::{file_name, is_name, parse_file_name, plain_name};

fuzz_target!(|data: &[u8]| {
    look(data);
    // Past the first checks.
    let length = u32::try_from(data.len()).expect("inputs are small").to_le_bytes();
    look(&[[0x1e, 0xf1, 0xd0, 0xba].as_slice(), &length, data].concat());
});

fn look(bytes: &[u8]) {
    let Ok(npk) = read(Cursor::new(bytes)) else { return };
    assert_eq!(npk.size, bytes.len() as u64);
    assert!(is_name(&npk.name), "{:?}", npk.name);
    again(&npk);
    let Some(arch) = npk.arch else { return };
    let name = file_name(plain_name(&npk.name), &npk.version, arch);
    if let Some(said) = parse_file_name(&name) {
        assert_eq!(said.version, npk.version, "{name}");
    }
}

fn again(npk: &Npk) {
    let new = NewNpk {
        name: npk.name.clone(),
        version: npk.version,
        arch: npk.arch,
        built_at: npk.built_at.unwrap_or(0),
        description: npk.description.clone().unwrap_or_default(),
        payload: 0,
    };
    let said = read(Cursor::new(build(&new))).expect("what is built is a package");
    assert_eq!((&said.name, said.version), (&npk.name, npk.version));
    assert_eq!((said.arch, said.built_at), (npk.arch, npk.built_at));
}
