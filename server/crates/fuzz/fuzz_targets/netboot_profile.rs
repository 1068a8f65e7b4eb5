//! A netboot profile of any text, alone and as the end of one that is good: reading it never panics, what
//! was read comes back as it was, and what it makes of a script is as long as it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_netboot::payload::{MAX_SCRIPT, build, fits};
use muster_netboot::profile::{MAX_TEXT, Newline, Profile, builtin, read};

const SCRIPT: &[u8] = b":delay 5s\n/system identity set name=a\n";
const MODE: &[u8] = b"/system/device-mode/update mode=advanced\n";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    look(&text);
    for profile in builtin() {
        look(&format!("{}\n{text}", profile.write()));
    }
});

fn look(text: &str) {
    match read(text) {
        Ok(profile) => serve(&profile),
        Err(wrong) => assert!(wrong.0.len() <= 2000, "{wrong}"),
    }
}

fn serve(profile: &Profile) {
    let again = profile.write();
    assert!(again.len() <= MAX_TEXT);
    assert_eq!(read(&again).as_ref(), Ok(profile), "{again}");
    for mode in [None, Some(MODE)] {
        let Ok(file) = build(profile, SCRIPT, mode) else { continue };
        let around = profile.payload.prefix.len() + profile.payload.suffix.len();
        assert!(file.len() >= around + SCRIPT.len() + mode.map_or(0, <[u8]>::len));
        if profile.payload.newline == Newline::Lf {
            assert!(file.windows(SCRIPT.len()).any(|part| part == SCRIPT));
        }
        if fits(profile, file.len(), Some(2000)).is_ok() {
            assert!(file.len() + usize::from(profile.limits.overhead) <= 2000);
        }
    }
    let around = profile.payload.prefix.len() + profile.payload.suffix.len();
    assert!(fits(profile, around + MAX_SCRIPT + 1, None).is_err());
}
