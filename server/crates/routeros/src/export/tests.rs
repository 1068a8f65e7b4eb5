use proptest::prelude::*;

use super::*;

const TEXT: &str = "# 2024-10-07 17:59:14 by RouterOS 7.16.1\r\n# software id = ABCD-1234\r\n#\r\n\
    # model = RBD52G-5HacD2HnD\r\n# serial number = D7160C1F4CAD\r\n/interface bridge\r\n\
    # ether5 not ready\r\nadd admin-mac=48:8F:5A:00:00:01 auto-mac=no comment=\"defconf: a long \\\r\n    \
    text\" name=\\\r\n    bridge   \r\n/ip firewall filter\r\n\
    #error exporting \"/ip/firewall/filter\" (timeout)\r\n\r\n/system identity\r\nset name=\"a\\\\\"\r\n";

#[test]
fn an_export_is_made_comparable() {
    let said = |text: &str| Some(text.to_owned());
    let export = normalise(TEXT);
    assert_eq!(
        export.header,
        Header {
            version: said("7.16.1"),
            serial: said("D7160C1F4CAD"),
            software_id: said("ABCD-1234"),
            model: said("RBD52G-5HacD2HnD"),
            at: said("2024-10-07 17:59:14"),
        }
    );
    assert_eq!(
        export.body,
        "/interface bridge\nadd admin-mac=48:8F:5A:00:00:01 auto-mac=no comment=\"defconf: a long text\" \
         name=bridge\n/ip firewall filter\n/system identity\nset name=\"a\\\\\"\n"
    );
    assert_eq!(export.incomplete, ["/ip/firewall/filter"]);
    assert_eq!(normalise(&export.body).body, export.body);
}

#[test]
fn what_differs_without_a_change_is_left_out() {
    let later = TEXT.replace("17:59:14", "18:00:00").replace("ether5 not ready", "ether4 x");
    let wrapped = later.replace(" auto-mac=no ", " \\\n    auto-mac=no ").replace("\r\n", "\n");
    assert_eq!(normalise(&wrapped).body, normalise(TEXT).body);
}

#[test]
fn other_headers_and_none_are_read() {
    let old = normalise(
        "\u{feff}# jan/02/1970 00:01:00 by RouterOS 6.49.10\n# software id = \n/ip dns\n",
    );
    assert_eq!(old.header.at.as_deref(), Some("jan/02/1970 00:01:00"));
    assert_eq!(old.header.version.as_deref(), Some("6.49.10"));
    assert_eq!(old.header.software_id, None);
    assert_eq!(old.body, "/ip dns\n");
    // Only what stands above an export is its header.
    assert_eq!(normalise("/ip dns\n# model = x\n").header, Header::default());
    assert_eq!(normalise(""), Export::default());
}

#[test]
fn what_was_cut_off_is_said() {
    assert_eq!(normalise("/ip dns\n#interrupted\n").incomplete, [REST]);
    let long = normalise(&"/ip dns\n".repeat(MAX_EXPORT / 8 + 1));
    assert_eq!((long.body.len(), &long.incomplete[..]), (MAX_EXPORT, &[REST.to_owned()][..]));
    for end in ["", "\n", "\r\n", "\n   ", "\n\n"] {
        let cut = normalise(&format!("/ip dns\nset servers=1.1.1.1 \\{end}"));
        assert_eq!(
            (&*cut.body, &cut.incomplete[..]),
            ("/ip dns\nset servers=1.1.1.1\n", &[REST.to_owned()][..])
        );
    }
    let whole = normalise("a \\\n   b\\\\\n# c \\\n");
    assert_eq!((&*whole.body, whole.incomplete.len()), ("a b\\\\\n", 0));
}

proptest! {
    #[test]
    fn a_body_is_whole_lines(text in any::<String>()) {
        let body = normalise(&text).body;
        prop_assert!(body.is_empty() || body.ends_with('\n'));
        prop_assert!(body.split_terminator('\n').all(|line| !line.is_empty() && line.trim_end() == line));
    }
}
