//! A log of any text: reading in it how a script went never panics, what is read is within its limits,
//! and a run that is whole behind it is the one that counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_routeros::apply::report;

const RUN: &str = "\n00:00:01 script,info muster-apply: tag begin\n\
                   00:00:01 script,error muster-apply: tag line 7 failed\n\
                   00:00:01 script,info muster-apply: tag done\n";

fuzz_target!(|data: &[u8]| look(&String::from_utf8_lossy(data)));

fn look(log: &str) {
    if let Some(report) = report(log, "tag") {
        assert!(report.failed.len() <= 200);
    }
    let last = report(&format!("{log}{RUN}"), "tag").expect("a whole run is at the end");
    assert!(last.done);
    assert_eq!(last.failed.iter().map(|failed| failed.line).collect::<Vec<_>>(), [7]);
}
