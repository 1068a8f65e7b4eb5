#![expect(clippy::unwrap_used, reason = "tests")]
use muster_routeros::npk::{NewNpk, build};

use super::*;

fn package(name: &str, version: &str, arch: Option<Arch>) -> Vec<u8> {
    build(&NewNpk {
        name: name.to_owned(),
        version: version.parse().unwrap(),
        arch,
        built_at: 1_700_000_000,
        description: String::new(),
        payload: 40,
    })
}

fn file(name: &str, bytes: Vec<u8>) -> File {
    File { name: name.to_owned(), content: bytes.into() }
}

/// A file as it is called: `tr069-client-7.16.1-arm64.npk`.
fn good(name: &str) -> File {
    let said = parse_file_name(name).unwrap();
    file(name, package(&said.name, &said.version.to_string(), said.arch))
}

fn board() -> Announcement {
    Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "key".to_owned(),
        model: "RB5009UG+S+".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.4".to_owned(),
        version: Some("7.8".to_owned()),
    }
}

fn refusal(files: &[File]) -> String {
    check(files, &board()).unwrap_err()
}

#[test]
fn good_files_are_taken() {
    let script = file(SCRIPT, b"\n".to_vec());
    let old = file("routeros-7.16.1-arm64.npk", package("system", "7.16.1", Some(Arch::Arm64)));
    let client = good("tr069-client-7.16.1-arm64.npk");
    assert_eq!(check(&[old.clone(), client.clone(), script], &board()), Ok(Vec::new()));
    // What the bundles of RouterOS 7 are called is said, and no reason to stop; nor is a missing client.
    let warnings = check(&[good("routeros-7.16.1-arm64.npk"), client], &board()).unwrap();
    assert!(matches!(warnings.as_slice(), [one] if one.contains("calls itself `routeros`")));
    let warnings = check(&[old], &board()).unwrap();
    assert!(matches!(warnings.as_slice(), [one] if one.contains("tr069-client")));
}

#[test]
fn what_is_no_package_is_refused() {
    let whole = package("routeros", "7.16.1", Some(Arch::Arm64));
    let mut cut = whole.clone();
    cut.pop();
    let mut other = whole;
    other[0] = 0;
    assert!(refusal(&[file("a.npk", other)]).contains("not a RouterOS package"));
    assert!(refusal(&[file("a.npk", cut)]).contains("cut off"));
    assert!(refusal(&[file("a.npk", Vec::new())]).contains("a.npk: "));
}

#[test]
fn the_system_is_the_first_file() {
    let system = good("routeros-7.16.1-arm64.npk");
    let client = good("tr069-client-7.16.1-arm64.npk");
    let script = file(SCRIPT, b"\n".to_vec());
    assert!(refusal(&[]).contains("no package"));
    assert!(refusal(std::slice::from_ref(&script)).contains("no package"));
    assert!(refusal(&[client.clone(), system.clone()]).contains("first file must be the system"));
    assert!(refusal(&[script, system.clone()]).contains("must be the last file"));
    let again = file("again.npk", package("system", "7.16.1", Some(Arch::Arm64)));
    assert!(refusal(&[system.clone(), again]).contains("second system"));
    assert!(refusal(&[system.clone(), client.clone(), client]).contains("there twice"));
    let many: Vec<File> = (0..33).map(|at| file(&format!("{at}.npk"), Vec::new())).collect();
    assert!(refusal(&many).contains("no more than 32"));
}

#[test]
fn all_are_of_one_version_that_the_board_takes() {
    let system = good("routeros-7.16.1-arm64.npk");
    let client = good("tr069-client-7.16.2-arm64.npk");
    assert!(refusal(&[system.clone(), client]).contains("one version"));
    assert!(refusal(&[good("routeros-7.3.1-arm64.npk")]).contains("older than 7.4"));
    assert!(refusal(&[good("routeros-7.4rc1-arm64.npk")]).contains("older than 7.4"));
    assert!(check(&[good("routeros-7.4-arm64.npk")], &board()).is_ok());
    let unknown = Announcement { min_version: "?".to_owned(), ..board() };
    let warnings = check(&[system], &unknown).unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("not checked")));
}

#[test]
fn all_are_for_the_boards_architecture() {
    let system = good("routeros-7.16.1-arm64.npk");
    assert!(refusal(&[good("routeros-7.16.1-arm.npk")]).contains("is for arm,"));
    assert!(
        refusal(&[system.clone(), good("tr069-client-7.16.1-mmips.npk")]).contains("for mmips")
    );
    // The header counts, and the name where the header does not say.
    let header = package("routeros", "7.16.1", Some(Arch::Arm));
    assert!(refusal(&[file("routeros-7.16.1-arm64.npk", header)]).contains("is for arm,"));
    let silent = package("routeros", "7.16.1", None);
    let named = file("routeros-7.16.1-arm64.npk", silent.clone());
    assert!(check(&[named], &board()).is_ok());
    assert!(refusal(&[file("system.npk", silent.clone())]).contains("does not say"));
    let x86 = Announcement { arch: "x86_64".to_owned(), ..board() };
    assert!(check(&[file("routeros-7.16.1.npk", silent)], &x86).is_ok());
    let odd = Announcement { arch: "riscv".to_owned(), ..board() };
    assert!(check(&[system], &odd).unwrap_err().contains("`riscv`"));
}

#[test]
fn names_are_names() {
    let bytes = package("routeros", "7.16.1", Some(Arch::Arm64));
    for name in ["", "a b.npk", "a\nb.npk", "../a.npk", "a\\b.npk", "ä.npk", &"x".repeat(101)] {
        let words = refusal(&[file(name, bytes.clone())]);
        assert!(words.contains("no name for a file"), "{name:?}: {words}");
        assert!(!words.contains('\n'));
    }
}
