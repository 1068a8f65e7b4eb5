//! A log of any text: reading a report out of it never panics, what is read is within its limits, and
//! a whole report behind it is the one that counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_routeros::inspect::parse;

const NONCE: &str = "0123456789abcdef";
const REPORT: &str = "\n00:00:01 script,info muster-inspect: begin=2/0123456789abcdef|\n\
                      00:00:01 script,info muster-inspect: package=routeros/7.16.1/on|\n\
                      00:00:01 script,info muster-inspect: mode=home|\n\
                      00:00:01 script,info muster-inspect: end=1/0123456789abcdef|\n";

fuzz_target!(|data: &[u8]| look(&String::from_utf8_lossy(data)));

fn look(log: &str) {
    if let Some(report) = parse(log, NONCE) {
        assert!(report.packages.len() <= 200);
        let text = report.packages.iter().map(|package| package.name.len() + package.version.len());
        assert!(text.sum::<usize>() <= log.len());
    }
    let last = parse(&format!("{log}{REPORT}"), NONCE).expect("a whole report is at the end");
    assert_eq!(last.packages.len(), 1);
    assert_eq!(last.device_mode.as_deref(), Some("home"));
}
