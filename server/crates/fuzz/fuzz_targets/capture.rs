//! A capture file of any bytes: its frames are no more than the file, and neither telling what they say
//! nor concluding from it panics.
#![no_main]

mod told;

use libfuzzer_sys::fuzz_target;
use muster_netboot::learn::capture;

fuzz_target!(|data: &[u8]| {
    if let Ok(read) = capture::frames(data) {
        let bytes: usize = read.frames.iter().map(|(_, frame)| frame.len()).sum();
        assert!(bytes <= data.len());
        told::look(read.frames);
    }
});
