//! What frames tell, and what is concluded from it: for the targets that have some.

use std::time::Duration;

use muster_netboot::learn::{conversation, infer, profile};

/// Listens to the frames; none of it panics, and no file is larger than what was heard.
pub fn look(frames: Vec<(Duration, Vec<u8>)>) {
    let whole: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
    let learned = conversation(frames);
    let _ = learned.to_string();
    if let Some(found) = learned.delivery() {
        let content = found.content().expect("a delivery is whole");
        assert!(content.len() <= whole);
        let script = content.get(4..).unwrap_or_default();
        for inference in [infer(content, None), infer(content, Some(script))] {
            assert!(inference.prefix.len() + inference.suffix.len() <= content.len());
            let _ = profile("fuzzed", "fuzzed", &learned, found, &inference);
        }
    }
}
