#![expect(clippy::unwrap_used, reason = "tests")]
use std::io::{Cursor, Error};

use proptest::prelude::*;

use super::*;
use crate::package::plain_name;

fn new(name: &str, version: &str) -> NewNpk {
    NewNpk {
        name: name.to_owned(),
        version: version.parse().unwrap(),
        arch: Some(Arch::Arm),
        built_at: 1_728_300_000,
        description: "made for a test".to_owned(),
        payload: 1000,
    }
}

fn read_bytes(bytes: &[u8]) -> Result<Npk, NpkError> {
    read(Cursor::new(bytes))
}

/// A file of these containers.
fn file(parts: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    parts.iter().for_each(|(id, payload)| container(&mut body, *id, payload));
    [MAGIC.to_vec(), length(&body).to_vec(), body].concat()
}

fn header_of(name: &[u8], version: [u8; 4]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.resize(NAME_BYTES, 0);
    bytes.extend(version);
    bytes.extend([0; 15]);
    bytes
}

#[test]
fn a_package_says_what_it_is() {
    let bytes = build(&new("routeros", "7.16.1"));
    let npk = read_bytes(&bytes).unwrap();
    assert_eq!(npk.name, "routeros");
    assert_eq!(npk.version, RosVersion::release(7, 16, 1));
    assert_eq!(npk.arch, Some(Arch::Arm));
    assert_eq!(npk.built_at, Some(1_728_300_000));
    assert_eq!(npk.description.as_deref(), Some("made for a test"));
    assert_eq!(npk.size, bytes.len() as u64);
    // Where tools that know no containers look.
    assert_eq!(&bytes[0x14..0x1c], b"routeros");
    assert_eq!(&bytes[0x24..0x28], [1, b'f', 16, 7]);
}

#[test]
fn stages_are_read_as_they_were_numbered() {
    for version in ["7.24alpha9", "7.24beta1", "6.43rc56", "7.24rc1", "7.24", "6.49.10"] {
        assert_eq!(read_bytes(&build(&new("x", version))).unwrap().version.to_string(), version);
    }
    let odd = file(&[(HEADER, &header_of(b"x", [1, b'z', 16, 7]))]);
    assert_eq!(read_bytes(&odd), Err(NpkError::Stage('z')));
}

#[test]
fn a_bundle_is_named_by_its_first_header() {
    let bundle = header_of(b"routeros-arm", [10, b'f', 49, 6]);
    let part = header_of(b"wireless", [9, b'f', 49, 6]);
    let npk = read_bytes(&file(&[(PREHEADER, &[]), (BUNDLE_HEADER, &bundle), (HEADER, &part)]));
    let npk = npk.unwrap();
    assert_eq!((npk.name.as_str(), npk.version), ("routeros-arm", RosVersion::release(6, 49, 10)));
    assert_eq!(plain_name(&npk.name), "routeros");
    assert_eq!((npk.arch, npk.built_at, npk.description), (None, None, None));
}

#[test]
fn what_fills_texts_up_is_left_out() {
    let header = header_of(b"calea", [1, b'f', 16, 7]);
    let parts: [(u16, &[u8]); 4] = [
        (HEADER, &header),
        (ARCHITECTURE, b"powerpc\0\0\n"),
        (DESCRIPTION, b"  lawful\0interception \n\0"),
        (99, b"unknown"),
    ];
    let npk = read_bytes(&file(&parts)).unwrap();
    assert_eq!(npk.arch, Some(Arch::Ppc));
    assert_eq!(npk.description.as_deref(), Some("lawful interception"));
    let unknown: [(u16, &[u8]); 2] = [(HEADER, &header), (ARCHITECTURE, b"vax")];
    assert_eq!(read_bytes(&file(&unknown)).unwrap().arch, None);
    let long = "x".repeat(3 * MAX_DESCRIPTION);
    let parts: [(u16, &[u8]); 2] = [(DESCRIPTION, long.as_bytes()), (HEADER, &header)];
    let npk = read_bytes(&file(&parts)).unwrap();
    assert_eq!(npk.description.map(|text| text.len()), Some(MAX_DESCRIPTION));
}

#[test]
fn what_is_no_package_is_refused_in_words() {
    let good = build(&new("routeros", "7.16.1"));
    let whole = good.len() as u64;
    assert_eq!(read_bytes(b""), Err(NpkError::Magic));
    assert_eq!(read_bytes(b"PK\x03\x04 a zip"), Err(NpkError::Magic));
    assert_eq!(read_bytes(&MAGIC), Err(NpkError::Truncated { expected: 8, actual: 4 }));
    let cut = read_bytes(&good[..good.len() - 1]).unwrap_err();
    assert_eq!(cut, NpkError::Truncated { expected: whole, actual: whole - 1 });
    assert!(cut.to_string().contains("cut off"), "{cut}");
    assert_eq!(read_bytes(&[good.as_slice(), b"\n"].concat()), Err(NpkError::Trailing(1)));
    assert_eq!(read_bytes(&file(&[])), Err(NpkError::Empty));
    assert_eq!(read_bytes(&file(&[(PREHEADER, &[])])), Err(NpkError::NoHeader));
    assert_eq!(read_bytes(&file(&[(HEADER, &[0; 27])])), Err(NpkError::NoHeader));
    for name in [b"".as_slice(), b" x", b"r\xf6uter", b"a/b", b"\xff"] {
        let bytes = file(&[(HEADER, &header_of(name, [1, b'f', 16, 7]))]);
        assert_eq!(read_bytes(&bytes), Err(NpkError::Name), "{name:?}");
    }
    let many = file(&vec![(PREHEADER, [].as_slice()); MAX_CONTAINERS + 1]);
    assert_eq!(read_bytes(&many), Err(NpkError::TooMany));
}

#[test]
fn a_container_ends_within_the_file() {
    let mut bytes = file(&[(HEADER, &header_of(b"x", [1, b'f', 16, 7]))]);
    bytes[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read_bytes(&bytes), Err(NpkError::Container(8)));
    // Not even its beginning is whole.
    let short = [MAGIC.as_slice(), &5_u32.to_le_bytes(), &[1, 0, 0, 0, 0]].concat();
    assert_eq!(read_bytes(&short), Err(NpkError::Container(8)));
}

/// Has so many bytes, and does not let them be read.
struct Locked(u64);

impl Read for Locked {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(Error::from(ErrorKind::PermissionDenied))
    }
}

impl Seek for Locked {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        Ok(if to == SeekFrom::End(0) { self.0 } else { 0 })
    }
}

#[test]
fn what_is_too_large_is_not_read_and_what_cannot_be_read_says_so() {
    assert_eq!(read(Locked(MAX_SIZE + 1)), Err(NpkError::TooLarge(MAX_SIZE + 1)));
    assert_eq!(read(Locked(100)), Err(NpkError::Read(ErrorKind::PermissionDenied)));
}

fn any_stage() -> impl Strategy<Value = String> {
    let n = 0..=255_u8;
    prop_oneof![
        n.clone().prop_map(|n| format!("alpha{n}")),
        n.clone().prop_map(|n| format!("beta{n}")),
        n.clone().prop_map(|n| format!("rc{n}")),
        n.prop_map(|n| format!(".{n}")),
    ]
}

prop_compose! {
    fn any_new()(
        name in "[a-z0-9][a-z0-9+_.-]{0,15}",
        major in 0..=255_u8,
        minor in 0..=255_u8,
        stage in any_stage(),
        arch in proptest::option::of(proptest::sample::select(Arch::ALL.to_vec())),
        built_at in any::<u32>(),
        description in "[a-zA-Z][a-z ]{0,40}[a-z]",
        payload in 0..5_000_u32,
    ) -> NewNpk {
        let version = format!("{major}.{minor}{stage}").parse().unwrap();
        NewNpk { name, version, arch, built_at, description, payload }
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(new in any_new()) {
        let bytes = build(&new);
        let npk = read_bytes(&bytes).unwrap();
        prop_assert_eq!(npk.name, new.name);
        prop_assert_eq!(npk.version, new.version);
        prop_assert_eq!(npk.arch, new.arch);
        prop_assert_eq!(npk.built_at.unwrap_or(0), new.built_at);
        prop_assert_eq!(npk.description, Some(new.description));
        prop_assert_eq!(npk.size, bytes.len() as u64);
    }

    #[test]
    fn a_part_of_a_package_is_none(new in any_new(), cut in any::<prop::sample::Index>()) {
        let bytes = build(&new);
        prop_assert!(read_bytes(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn no_damage_breaks_it(
        new in any_new(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = build(&NewNpk { payload: 20, ..new });
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(npk) = read_bytes(&bytes) {
            prop_assert!(is_name(&npk.name));
            prop_assert_eq!(npk.size, bytes.len() as u64);
        }
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_bytes(&bytes);
        // Past the first checks.
        let length = u32::try_from(bytes.len()).unwrap();
        let _ = read_bytes(&[MAGIC.as_slice(), &length.to_le_bytes(), &bytes].concat());
    }
}
