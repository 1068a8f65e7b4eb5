//! What a board was asked, by a script, to write into its log about itself: the packages on it, its
//! RouterBOOT and its device-mode, which CWMP cannot tell.
//!
//! Owns the form of that report. A line of the log that belongs to it is a script's: its topics, behind
//! the time, have `script` among them. Its message begins with `muster-inspect:`, a word, `=`, a value
//! and a `|`; the `|` shows that nothing of the line is missing. A report begins with `begin=2/` and a
//! nonce, and ends with `end=`, the number of its packages, and the nonce again, so that one which the
//! log has lost a part of is not taken for whole, and one that was not asked for now, such as the last
//! one on a board that keeps its log on a disk, is not taken for the answer. Line breaks that were put
//! in behind the mark to fit a terminal do not matter.
//!
//! Others write into the log, too: a neighbour's device its host name, a stranger the login that they
//! try. What such a line says is never read as a report.
//!
//! A board is not trusted to be well-meaning: all texts and counts have a limit.

use serde::{Deserialize, Serialize};

use crate::allowed::ANY;

/// How the messages of a report begin.
pub const MARK: &str = "muster-inspect:";

/// What stands in the script where the nonce of an order goes; both are as long, so that the file has
/// the size that a board is told.
pub const NONCE: &str = "@@@@@NONCE@@@@@@";

/// Packages in a report; a board has some tens.
const MAX_PACKAGES: usize = 200;
/// Bytes of one word and its value.
const MAX_ENTRY: usize = 256;
/// The topic of what scripts write.
const TOPIC: &str = "script";
/// The form of the report that is understood.
const FORM: &str = "2";

/// A package that is on a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// As the board calls it: `routeros`, `wireless` ...
    pub name: String,
    /// As the board writes it: `7.16.1`.
    pub version: String,
    /// Whether it is in use; a disabled one is on the board and does nothing.
    pub enabled: bool,
}

/// What a board said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// In the board's order; no name twice.
    pub packages: Vec<Installed>,
    /// The model, such as `RBD52G-5HacD2HnD`; none = not said, as for all that follows.
    pub board: Option<String>,
    /// The architecture in the board's own word: `arm`, `powerpc`, `x86_64`.
    pub arch: Option<String>,
    /// The RouterBOOT that runs.
    pub booter_current: Option<String>,
    /// The RouterBOOT that the installed RouterOS brings.
    pub booter_upgrade: Option<String>,
    /// `home`, `basic`, `advanced`, `rose` ...
    pub device_mode: Option<String>,
    /// Which versions it lets be installed ([`crate::allowed::Allowed`]); `any` = all.
    pub allowed_versions: Option<String>,
}

/// The last whole report with this nonce in a log, the oldest line first; none where there is none.
pub fn parse(log: &str, nonce: &str) -> Option<Inspection> {
    let mut begun: Option<Inspection> = None;
    let mut last = None;
    for entry in entries(log, MARK) {
        let Some((word, value)) = word(&entry) else {
            // A line that is not whole: nor is the report.
            begun = None;
            continue;
        };
        match word {
            "begin" => {
                begun = (value.split_once('/') == Some((FORM, nonce))).then(Inspection::default);
            }
            "end" => {
                let count = value.split_once('/').filter(|(_, said)| *said == nonce);
                let packages = count.and_then(|(count, _)| count.parse::<usize>().ok());
                let whole = |report: &Inspection| packages == Some(report.packages.len());
                last = begun.take().filter(whole).or(last);
            }
            _ => begun = begun.and_then(|report| report.with(word, value)),
        }
    }
    last
}

/// What follows the mark, in each line that a script began with it. What is no beginning of a line of
/// the log goes on with the one before it, without the room in front.
pub(crate) fn entries(log: &str, mark: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in log.split('\n') {
        let line = line.trim_end_matches('\r');
        if let Some((topics, message)) = beginning(line) {
            let by_script = topics.split(',').any(|topic| topic == TOPIC);
            let entry = message.strip_prefix(mark).filter(|_| by_script);
            is_open = entry.is_some();
            entries.extend(entry.map(str::to_owned));
        } else if let Some(entry) = entries.last_mut().filter(|_| is_open) {
            entry.push_str(line.trim_start_matches([' ', '\t']));
        }
    }
    entries
}

/// The topics and the message of what begins a line of the log: a number where it has one, the time,
/// and both. Without a time it may be the rest of somebody else's message.
fn beginning(line: &str) -> Option<(&str, &str)> {
    let mut rest = line.trim_start_matches([' ', '\t']);
    let mut has_time = false;
    loop {
        let (token, after) = rest.split_once([' ', '\t'])?;
        let after = after.trim_start_matches([' ', '\t']);
        if !is_of_time(token) {
            return has_time.then_some((token, after));
        }
        has_time |= token.contains(':');
        rest = after;
    }
}

/// Whether this is a number, a date or a time: `12`, `jan/02/1970`, `2024-10-07`, `00:01:00`.
fn is_of_time(token: &str) -> bool {
    let month = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let digits = token.split_once('/').map_or(token, |(first, rest)| match month(first) {
        true => rest,
        false => token,
    });
    let fine = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'/' | b':' | b'.');
    digits.bytes().any(|b| b.is_ascii_digit()) && digits.bytes().all(fine)
}

/// The word and the value behind a mark; none where it has no end.
fn word(entry: &str) -> Option<(&str, &str)> {
    let (text, _) = entry.split_once('|').filter(|(text, _)| text.len() <= MAX_ENTRY)?;
    let (word, value) = text.split_once('=')?;
    let fine = |text: &str| !text.chars().any(char::is_control);
    Some((word.trim(), value.trim())).filter(|(word, value)| fine(word) && fine(value))
}

impl Inspection {
    /// With one line more; none where the report cannot be right.
    fn with(mut self, word: &str, value: &str) -> Option<Self> {
        let said = || (!value.is_empty()).then(|| value.to_owned());
        match word {
            "package" => self.packages.push(self.package(value)?),
            "board" => self.board = said().or(self.board),
            // Of a board that is no RouterBOARD.
            "board-name" => self.board = self.board.or_else(said),
            "arch" => self.arch = said(),
            "booter-current" => self.booter_current = said(),
            "booter-upgrade" => self.booter_upgrade = said(),
            "mode" => self.device_mode = said(),
            // The list does not matter where any version is allowed, whichever comes first.
            "any" if matches!(value, "yes" | "true") => {
                self.allowed_versions = Some(ANY.to_owned())
            }
            "allowed" => {
                self.allowed_versions =
                    self.allowed_versions.filter(|said| said == ANY).or_else(said);
            }
            // Of a later script.
            _ => {}
        }
        Some(self)
    }

    /// `NAME/VERSION/on` or `.../off`, of a package that is not among those before.
    fn package(&self, value: &str) -> Option<Installed> {
        let parts: Vec<&str> = value.split('/').collect();
        let [name, version, state @ ("on" | "off")] = parts[..] else { return None };
        let known = self.packages.iter().any(|package| package.name == name);
        if name.is_empty() || version.is_empty() || known || self.packages.len() == MAX_PACKAGES {
            return None;
        }
        let enabled = state == "on";
        Some(Installed { name: name.to_owned(), version: version.to_owned(), enabled })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// The nonce of the order that is answered, and what begins and ends a report of no packages.
    const OURS: &str = "0123456789abcdef";
    const BEGIN: &str = "begin=2/0123456789abcdef";
    const END: &str = "end=0/0123456789abcdef";
    const LOG: &str = "\
        jan/02/1970 00:00:12 system,info router rebooted\n\
        jan/02/1970 00:01:00 script,info muster-inspect: begin=2/0123456789abcdef|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: package=routeros/7.16.1/on|\n\
        jan/02/1970 00:01:00 dhcp,info dhcp-client on ether1 got IP address 192.0.2.7\n\
        jan/02/1970 00:01:00 script,info muster-inspect: package=tr069-client/7.16.1/on|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: package=zerotier/7.16.1/off|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: board=RBwAPR-2nD&R11e-LTE|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: arch=mipsbe|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: booter-current=7.12.1|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: booter-upgrade=7.16.1|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: mode=home|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: allowed=7.13+,6.49.8+|\n\
        jan/02/1970 00:01:00 script,info muster-inspect: end=3/0123456789abcdef|\n\
        jan/02/1970 00:02:00 system,info,account user admin logged in\n";

    fn parse(log: &str) -> Option<Inspection> {
        super::parse(log, OURS)
    }

    fn installed(name: &str, version: &str, enabled: bool) -> Installed {
        Installed { name: name.to_owned(), version: version.to_owned(), enabled }
    }

    /// Lines of a report as a board writes them.
    fn lines(said: &[&str]) -> String {
        said.iter().map(|said| format!("00:00:01 script,info {MARK} {said}|\n")).collect()
    }

    fn expected() -> Inspection {
        let said = |text: &str| Some(text.to_owned());
        Inspection {
            packages: vec![
                installed("routeros", "7.16.1", true),
                installed("tr069-client", "7.16.1", true),
                installed("zerotier", "7.16.1", false),
            ],
            board: said("RBwAPR-2nD&R11e-LTE"),
            arch: said("mipsbe"),
            booter_current: said("7.12.1"),
            booter_upgrade: said("7.16.1"),
            device_mode: said("home"),
            allowed_versions: said("7.13+,6.49.8+"),
        }
    }

    #[test]
    fn a_report_is_found_among_other_lines() {
        assert_eq!(parse(LOG), Some(expected()));
        assert_eq!(parse(&LOG.replace('\n', "\r\n")), Some(expected()));
        assert_eq!(parse(""), None);
        assert_eq!(parse(&lines(&[END])), None);
        // As a terminal shows it, in columns.
        let numbered =
            LOG.replace("jan/02/1970", " 12 2024-10-07").replace(" muster", "    muster");
        assert_eq!(parse(&numbered), Some(expected()));
    }

    #[test]
    fn what_others_write_into_the_log_is_no_report() {
        let whole = [BEGIN, "mode=rose", END].map(|said| format!("{MARK} {said}|")).join(" ");
        let by_script = |before: &str, said: &str| format!("{before} script,info {MARK} {said}|\n");
        let three = |before: &str| [BEGIN, "mode=rose", END].map(|s| by_script(before, s)).concat();
        assert!(parse(&three("00:00:01")).is_some());
        for log in [
            whole.clone(),
            format!("00:00:01 dhcp,info {whole}\n"),
            three("00:00:01 dhcp,info lan assigned 192.0.2.7 to"),
            three("00:00:01 dhcp,info 00:00:01"),
            three("00:00:01 dhcp,info lan assigned\r00:00:01"),
            // The rest of a line that was broken.
            three("00:00:01 dhcp,info lan assigned\n"),
            three("00:00:01 scripts,info"),
            three("00:00:01 script,info hello"),
            three("/1:x"),
        ] {
            assert_eq!(parse(&log), None, "{log}");
            let both = parse(&format!("{LOG}{log}"));
            assert_eq!(both, Some(expected()), "{log}");
        }
    }

    #[test]
    fn what_others_write_does_not_get_into_a_report() {
        let other = "00:01:00 dhcp,info x muster-inspect: package=dude/7.1/on| script,info\n \
                     muster-inspect: mode=rose|\n";
        let log = LOG.replace("jan/02/1970 00:01:00 dhcp", &format!("{other}00:01:00 dhcp"));
        assert_ne!(log, LOG);
        assert_eq!(parse(&log), Some(expected()));
    }

    #[test]
    fn what_a_board_cannot_say_is_left_open() {
        let log = lines(&[BEGIN, "mode=", END]);
        assert_eq!(parse(&log), Some(Inspection::default()));
        let later = lines(&[BEGIN, "colour=red", END]).replace(": ", ":");
        assert_eq!(parse(&later), Some(Inspection::default()));
    }

    #[test]
    fn some_answers_stand_above_others_in_either_order() {
        let report = |said: &[&str]| {
            let report = parse(&lines(&[&[BEGIN][..], said, &[END]].concat())).unwrap();
            (report.board, report.allowed_versions)
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(report(&["board=RB941-2nD", "board-name=hAP lite"]).0, said("RB941-2nD"));
        assert_eq!(report(&["board-name=hAP lite", "board=RB941-2nD"]).0, said("RB941-2nD"));
        assert_eq!(report(&["board=", "board-name=CHR"]).0, said("CHR"));
        for any in ["any=yes", "any=true"] {
            assert_eq!(report(&[any, "allowed=7.13+"]).1, said("any"));
            assert_eq!(report(&["allowed=7.13+", any]).1, said("any"));
        }
        assert_eq!(report(&["allowed=7.13+", "any=false"]).1, said("7.13+"));
    }

    #[test]
    fn the_last_whole_report_counts() {
        let newer = LOG.replace("7.16.1", "7.18").replace("end=3", "end=2");
        assert_eq!(parse(&format!("{LOG}{newer}")), Some(expected()), "a package is missing");
        let newer = newer.replace("end=2", "end=3");
        let report = parse(&format!("{LOG}{newer}")).unwrap();
        assert_eq!(report.packages[0].version, "7.18");
        // The log ends before the newer one does.
        let cut = newer.split_once("muster-inspect: end").unwrap().0;
        assert_eq!(parse(&format!("{LOG}{cut}")), Some(expected()));
        // The log begins after the older one did.
        let (_, rest) = LOG.split_once(BEGIN).unwrap();
        assert_eq!(parse(rest), None);
    }

    #[test]
    fn a_report_with_another_nonce_is_not_the_answer() {
        let theirs = "fedcba9876543210";
        let other = LOG.replace(OURS, theirs).replace("mode=home", "mode=rose");
        // An older one, on a board that keeps its log, and nothing behind it.
        assert_eq!(parse(&other), None);
        assert_eq!(parse(&format!("{LOG}{other}")), Some(expected()));
        assert_eq!(parse(&format!("{other}{LOG}")), Some(expected()));
        // One within the other, and ends that are not those of what began.
        let (begun, rest) = LOG.split_once("jan/02/1970 00:01:00 dhcp").unwrap();
        assert_eq!(parse(&format!("{begun}{other}{rest}")), None);
        for wrong in [format!("end=3/{theirs}"), "end=3/".to_owned(), "end=3".to_owned()] {
            assert_eq!(parse(&LOG.replace(&format!("end=3/{OURS}"), &wrong)), None, "{wrong}");
        }
        let bare = LOG.replace(BEGIN, "begin=1").replace(&format!("/{OURS}"), "");
        assert_eq!(parse(&bare), None, "of the first form, which had none");
    }

    #[test]
    fn a_report_that_cannot_be_right_is_none() {
        for (from, to) in [
            ("begin=2/", "begin=1/"),
            (BEGIN, "begin=2"),
            ("zerotier/7.16.1/off", "zerotier/7.16.1/maybe"),
            ("zerotier/7.16.1/off", "zerotier//off"),
            ("zerotier/7.16.1/off", "/7.16.1/off"),
            ("zerotier/7.16.1/off", "zerotier"),
            ("zerotier/7.16.1/off", "routeros/7.16.1/on"),
            ("arch=mipsbe|", "arch=mipsbe"),
            ("arch=mipsbe", "arch"),
            ("arch=mipsbe", "arch=mips\u{7}be"),
            ("end=3", "end=three"),
            ("end=3", "end=4"),
        ] {
            let log = LOG.replace(from, to);
            assert_ne!(log, LOG);
            assert_eq!(parse(&log), None, "{to}");
        }
        let long = LOG.replace("mipsbe", &"x".repeat(MAX_ENTRY));
        assert_eq!(parse(&long), None);
        let many = |packages: usize| {
            let mut many = lines(&[BEGIN]);
            (0..packages).for_each(|n| many += &lines(&[&format!("package=p{n}/7.1/on")]));
            parse(&(many + &lines(&[&format!("end={packages}/{OURS}")])))
        };
        assert!(many(MAX_PACKAGES).is_some());
        assert_eq!(many(MAX_PACKAGES + 1), None);
    }

    /// The log broken into lines of so many characters, as a terminal would, with an indent.
    fn wrapped(log: &str, width: usize, indent: usize) -> String {
        let mut out = String::new();
        for line in log.lines() {
            let characters: Vec<char> = line.chars().collect();
            for (n, part) in characters.chunks(width).enumerate() {
                if n > 0 {
                    out += &" ".repeat(indent);
                }
                out.extend(part);
                out.push('\n');
            }
        }
        out
    }

    proptest! {
        #[test]
        fn line_breaks_do_not_matter(width in 50..200_usize, indent in 0..30_usize) {
            prop_assert_eq!(parse(&wrapped(LOG, width, indent)), Some(expected()));
        }

        #[test]
        fn a_log_that_lost_lines_gives_all_or_nothing(lost in 0..14_usize, more in 0..14_usize) {
            let kept = |(n, line): (usize, &str)| {
                (!(lost..lost + more).contains(&n)).then(|| format!("{line}\n"))
            };
            let log: String = LOG.lines().enumerate().filter_map(kept).collect();
            if let Some(report) = parse(&log) {
                prop_assert_eq!(report.packages, expected().packages);
            }
        }

        #[test]
        fn no_log_breaks_it(log in "((muster-inspect:)?[a-z =|/0-9.\\n]{0,12}|\\PC{0,8}){0,20}") {
            let _ = parse(&log);
        }

        #[test]
        fn what_is_said_is_read_back(
            names in proptest::collection::btree_set("[a-z][a-z0-9-]{0,15}", 0..8),
            enabled in any::<bool>(),
            board in "[A-Za-z0-9&+-]{1,30}",
        ) {
            let mut log = lines(&[BEGIN, &format!("board={board}")]);
            for name in &names {
                let state = if enabled { "on" } else { "off" };
                log += &lines(&[&format!("package={name}/7.16.1/{state}")]);
            }
            log += &lines(&[&format!("end={}/{OURS}", names.len())]);
            let packages = names.iter().map(|name| installed(name, "7.16.1", enabled)).collect();
            let report = Inspection { packages, board: Some(board), ..Inspection::default() };
            prop_assert_eq!(parse(&log), Some(report));
        }
    }
}
