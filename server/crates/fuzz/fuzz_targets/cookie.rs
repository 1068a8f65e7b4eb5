//! A `Cookie` header of any bytes: reading it never panics, what it gives was in the header, and
//! our own cookie in front of anything is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_cwmp::cookie::{MAX_COOKIE_BYTES, cookie};

fuzz_target!(|data: &[u8]| read(&String::from_utf8_lossy(data)));

fn read(header: &str) {
    if let Some(value) = cookie(header, "ID") {
        assert!(!value.is_empty() && header.contains(&value), "{value:?}");
    }
    let ours = format!("muster=0a4f-113b; {header}");
    let expected = (ours.len() <= MAX_COOKIE_BYTES).then_some("0a4f-113b");
    assert_eq!(cookie(&ours, "muster").as_deref(), expected);
}
