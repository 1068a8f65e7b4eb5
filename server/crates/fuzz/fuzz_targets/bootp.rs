//! A message of any bytes: reading it never panics, what was read comes back as it was, and what we
//! answer to it is what RouterBOOT takes.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use muster_netboot::board::{Kind as Mode, kind};
use muster_netboot::bootp::{Kind, MAX_BYTES, MIN_BYTES, Reply, Request};
use muster_netboot::profile::builtin;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 88, 10);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 88, 11);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);

fuzz_target!(|data: &[u8]| {
    look(data);
    // Behind the first checks.
    let mut bytes = vec![1, 1, 6, 0];
    bytes.resize(28, 0);
    bytes.extend([2, 0, 0, 0, 0, 1]);
    bytes.resize(236, 0);
    bytes.extend([99, 130, 83, 99]);
    bytes.extend(data);
    look(&bytes);
    bytes[0] = 2;
    look(&bytes);
});

fn look(bytes: &[u8]) {
    if let Ok(mut reply) = Reply::read(bytes) {
        // Without its end, a name that fills its field is cut.
        reply.file.truncate(127);
        let again = reply.write();
        assert!(again.len() > MAX_BYTES || Reply::read(&again) == Ok(reply));
    }
    let Ok(request) = Request::read(bytes) else { return };
    let again = request.write();
    assert!(again.len() > MAX_BYTES || Request::read(&again).as_ref() == Ok(&request));
    assert!(request.vendor_class().is_none_or(|class| class.len() <= 64 && class.is_ascii()));
    assert!(request.unknown().values().all(|digits| digits.len() <= 2 * MAX_BYTES));
    let mode = kind(&request, builtin());
    assert!(mode != Mode::Flashboot || request.message_type().is_none());
    for profile in builtin() {
        assert!(profile.board_id(&request).is_none_or(|id| id.is_ascii()));
        profile.free(&request);
    }
    let plain = Reply::plain(&request, ADDRESS, SERVER, MASK, Some(SERVER), "flashfig").write();
    assert_eq!(codes(&plain), [1, 3]);
    let ack =
        Reply::dhcp(&request, Kind::Ack, ADDRESS, SERVER, MASK, None, "flashfig", 600).write();
    assert_eq!(codes(&ack), [53, 54, 51, 1]);
}

/// The options as RouterBOOT walks them; behind their end is nothing.
fn codes(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() >= MIN_BYTES && bytes[24..28] == [0; 4]);
    let (mut at, mut codes) = (240, Vec::new());
    while bytes[at] != 255 {
        assert_ne!(bytes[at], 0, "a PAD");
        codes.push(bytes[at]);
        at += 2 + usize::from(bytes[at + 1]);
    }
    assert!(bytes[at + 1..].iter().all(|byte| *byte == 0));
    codes
}
