//! What a job's state means for whoever looks, and what they can do. Pure.

/// What is known of a job.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Case<'a> {
    /// One of the states.
    pub(in crate::web) state: &'a str,
    /// Why, in the words of the queue.
    pub(in crate::web) note: &'a str,
    /// CWMP fault code of the last fault.
    pub(in crate::web) fault: Option<u64>,
    /// Attempts so far.
    pub(in crate::web) attempts: i32,
}

/// One or two sentences; empty where nothing is left to say.
pub(in crate::web) fn advice(case: Case<'_>) -> &'static str {
    match (case.state, case.fault) {
        ("queued", _) if case.attempts == 0 => {
            "It waits for the device, which is called if it was asked for. A device's jobs run one \
             after the other: an older one that is open goes first."
        }
        ("queued", _) => {
            "It is tried again by itself. Cancel it if it should not be, or if younger jobs must \
             not wait for it."
        }
        ("running", _) => "The device is in a session and works on it.",
        ("waiting", _) => {
            "The device took the order and has yet to report that it is done. Younger jobs wait for \
             that. Cancelling ends the waiting, not what the device does."
        }
        ("expired", _) => {
            "The device had no session in time. Look when it was last heard of, whether it has power \
             and reaches this server; then order it again."
        }
        ("failed", Some(code)) => of_fault(code),
        ("failed", None) => of_note(case.note),
        _ => "",
    }
}

/// By TR-069 A.5.1.
fn of_fault(code: u64) -> &'static str {
    match code {
        9000 => {
            "The device does not have this method. Its page lists those that it has; RouterOS lacks \
             some of TR-069's."
        }
        9001 => "The device gives no reason. Its own log may have one.",
        9002 => "The device failed by itself, several times. Look into its log, or reboot it.",
        9003 => {
            "The order does not fit this device: compare its names and values with the device's."
        }
        9004 | 9027 => "It was too much at once for the device: order less, in several jobs.",
        9005 => {
            "The device has no such parameter. Read its data model again, and take the name from \
             its parameters."
        }
        9006 => "The device wants another type for this value: name the type in the order.",
        9007 => "The device does not take this value. Its documentation says which it takes.",
        9008 => "This parameter can only be read.",
        9009 => "The device does not report changes of this parameter in this way.",
        9010 | 9011 | 9015 => {
            "The device did not reach the file. Check that acs.public_url is an address that the \
             device can reach, and that nothing between the two forbids it."
        }
        9012 | 9016 => {
            "The device was not given the file: its link is good only for a while, and while the job \
             is open. Order it again."
        }
        9013 => "The device does not fetch files over this protocol: try http instead of https.",
        9017 | 9018 => {
            "The file did not arrive whole. Order it again; check the line if it stays so."
        }
        9019 => {
            "The device does not take the file as genuine. Check that it is made for this model."
        }
        9020 => "The device did not get the file within the windows. Order it with longer ones.",
        9021 => "The transfer has gone too far to be taken back.",
        9022..=9026 | 9028..=9032 => {
            "The device refused to change its software modules; the fault says why."
        }
        9800..=9899 => "This fault is the vendor's own: the device's documentation explains it.",
        _ => "The device refused it. Its own log may say more.",
    }
}

fn of_note(note: &str) -> &'static str {
    if note.contains("came back on") || note.contains("did not come back on") {
        return "Look into the device's own log: a package that does not fit, or too little room, keeps \
                RouterOS from installing.";
    }
    if note.contains("outcome unknown") || note.contains("never reported") {
        return "It may have been done all the same. Look at the device before you order it again.";
    }
    if note.contains("no file arrived") {
        return "Check that the device can send to this server and that acs.max_upload_bytes is large \
                enough; then order it again.";
    }
    if note.contains("the session was lost") || note.contains("answered with nothing") {
        return "The device broke off, each time. Look at its line and at its own log; then order it \
                again.";
    }
    "When the cause is mended, order it again."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case<'a>(state: &'a str, note: &'a str, fault: Option<u64>) -> Case<'a> {
        Case { state, note, fault, attempts: 0 }
    }

    #[test]
    fn a_fault_says_what_to_do() {
        for code in (9000..=9032).chain([9801, 1]) {
            let text = advice(case("failed", "", Some(code)));
            assert!(text.ends_with('.'), "{code}: {text}");
        }
        assert!(advice(case("failed", "", Some(9005))).contains("no such parameter"));
        assert!(advice(case("failed", "", Some(9850))).contains("vendor"));
    }

    #[test]
    fn what_may_have_been_done_is_not_lightly_ordered_again() {
        for note in [
            "the session was lost while the job ran; outcome unknown, and not safe to send again",
            "the device accepted it, but never reported the outcome",
        ] {
            let text = advice(case("failed", note, None));
            assert!(text.contains("Look at the device before"), "{note}: {text}");
        }
    }

    #[test]
    fn what_went_well_needs_no_advice() {
        assert_eq!(advice(case("done", "", None)), "");
        assert_eq!(advice(case("cancelled", "cancelled by ann", None)), "");
        // A fault that was overcome is over.
        assert_eq!(advice(case("done", "", Some(9002))), "");
    }

    #[test]
    fn what_waits_says_for_what() {
        let first = advice(case("queued", "", None));
        let again = advice(Case { attempts: 2, ..case("queued", "", Some(9002)) });
        assert!(first.contains("waits for the device") && again.contains("tried again"));
        for state in ["running", "waiting", "expired"] {
            assert!(!advice(case(state, "", None)).is_empty(), "{state}");
        }
    }
}
