//! The RouterOS scripts that ship with Muster. They are sent as alters, so they must do no harm when
//! they run twice, or on a board that has not what they look for.

/// Has a board write into its log what CWMP cannot tell (`muster_routeros::inspect` reads it).
pub const INSPECT: &str = include_str!("../../templates/rsc/inspect.rsc");

/// Writes the RouterBOOT that the installed RouterOS brings; it takes effect at the next start.
pub const ROUTERBOOT: &str = include_str!("../../templates/rsc/routerboot.rsc");

#[cfg(test)]
mod tests {
    use muster_routeros::inspect::MARK;

    use super::*;

    /// The script without comments and without what is in quotes: brackets alone count.
    fn bare(script: &str) -> String {
        let mut out = String::new();
        for line in script.lines().filter(|line| !line.trim_start().starts_with('#')) {
            // No quote is escaped in these.
            assert!(!line.contains("\\\""), "{line}");
            let parts: Vec<&str> = line.split('"').collect();
            assert!(parts.len() % 2 == 1, "a quote stays open: {line}");
            parts.iter().step_by(2).for_each(|part| out.push_str(part));
            out.push('\n');
        }
        out
    }

    #[test]
    fn scripts_are_what_routeros_of_both_generations_reads() {
        for script in [INSPECT, ROUTERBOOT] {
            assert!(script.starts_with("# muster-script: "));
            assert!(script.contains("Not verified on real hardware."));
            assert!(script.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
            assert!(script.ends_with("}\n"));
            assert!(!script.lines().any(|line| line.ends_with([' ', '\\'])), "no line goes on");
            let bare = bare(script);
            for [open, close] in [['{', '}'], ['[', ']'], ['(', ')']] {
                let depths: Vec<i32> = bare
                    .chars()
                    .scan(0, |depth, c| {
                        *depth += i32::from(c == open) - i32::from(c == close);
                        Some(*depth)
                    })
                    .collect();
                assert!(depths.iter().all(|depth| *depth >= 0), "{close} closes nothing");
                assert_eq!(depths.last(), Some(&0), "{open} stays open");
            }
            // Never within braces, and never the menus that some boards lack.
            for word in [":global", "routerboard", "device-mode", "fetch", "scheduler", "?"] {
                assert!(!bare.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn the_report_has_the_form_that_is_read() {
        for part in ["begin=2/", "package=", "end=", "\"allowed\"", "\"any\"", "\"mode\""] {
            assert!(INSPECT.contains(part), "{part}");
        }
        assert!(INSPECT.contains(&format!("\"{MARK} \"")));
    }
}
