//! Holds the package reader against one that others wrote: npkPy. `tests/run` installs it and names
//! its Python in `TEST_NPKPY`; without that the tests say so and do nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::DateTime;
use muster_routeros::arch::Arch;
use muster_routeros::npk::{NewNpk, build, read};
use muster_routeros::version::Stage;
use serde_json::{Value, json};

/// Python with npkPy, where the run has one.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("TEST_NPKPY").map(PathBuf::from);
    if python.is_none() {
        eprintln!(
            "SKIPPED: nothing holds the package reader to npkPy; TEST_NPKPY names its Python"
        );
    }
    python
}

/// What npkPy says of each file.
fn described(python: &Path, files: &[PathBuf]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npk_oracle/describe.py");
    let output = Command::new(python).arg(script).args(files).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let described: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(described.len(), files.len(), "{errors}");
    described
}

fn new(name: &str, version: &str, arch: Option<Arch>) -> NewNpk {
    NewNpk {
        name: name.to_owned(),
        version: version.parse().unwrap(),
        arch,
        built_at: 1_728_300_000,
        description: format!("{name}, which nobody can install"),
        payload: 3_000,
    }
}

#[test]
fn npkpy_reads_what_we_build_as_we_read_it() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut packages = vec![
        new("wifi-qcom-ac", "7.24rc1", Some(Arch::Arm)),
        new("tr069-client", "7.24beta2", Some(Arch::Arm64)),
        new("a-name-of-16-big", "7.24alpha99", Some(Arch::Tile)),
        NewNpk { payload: 0, description: String::new(), ..new("system", "6.49.10", None) },
    ];
    packages.extend(Arch::ALL.map(|arch| new("routeros", "7.16.1", Some(arch))));
    let mut files = Vec::new();
    for (n, package) in packages.iter().enumerate() {
        let file = dir.path().join(format!("{n}.npk"));
        std::fs::write(&file, build(package)).unwrap();
        files.push(file);
    }
    for (file, theirs) in files.iter().zip(described(&python, &files)) {
        let ours = read(std::fs::File::open(file).unwrap()).unwrap();
        let (stage, last) = match ours.version.stage() {
            Stage::Alpha(n) => ("a", n),
            Stage::Beta(n) => ("b", n),
            Stage::Rc(n) => ("c", n),
            Stage::Final => ("f", ours.version.patch()),
        };
        assert_eq!(theirs["name"], json!(ours.name), "{theirs}");
        let numbers = json!([ours.version.major(), ours.version.minor(), last]);
        assert_eq!((&theirs["numbers"], &theirs["stage"]), (&numbers, &json!(stage)));
        let built = DateTime::from_timestamp(i64::from(ours.built_at.unwrap()), 0).unwrap();
        assert_eq!(theirs["built"], json!(built.format("%Y-%m-%dT%H:%M:%S").to_string()));
        assert_eq!(theirs["arch"], json!(ours.arch), "{theirs}");
        assert_eq!(theirs["description"], json!(ours.description), "{theirs}");
        assert_eq!((&theirs["size"], &theirs["flags"]), (&json!(ours.size), &json!(7)));
        assert_eq!(theirs["same"], json!(true), "what they write is what they read: {theirs}");
    }
}

#[test]
fn npkpy_refuses_what_we_refuse() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let good = build(&new("routeros", "7.16.1", Some(Arch::Arm)));
    let mut magic = good.clone();
    magic[0] = b'P';
    let mut container = good.clone();
    container[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
    let bad = [good[..good.len() - 100].to_vec(), good[..40].to_vec(), magic, container];
    let mut files = vec![dir.path().join("good.npk")];
    std::fs::write(&files[0], &good).unwrap();
    for (n, bytes) in bad.iter().enumerate() {
        assert!(read(std::io::Cursor::new(bytes)).is_err());
        files.push(dir.path().join(format!("{n}.npk")));
        std::fs::write(&files[n + 1], bytes).unwrap();
    }
    let described = described(&python, &files);
    assert_eq!(described[0]["name"], json!("routeros"));
    assert!(described[1..].iter().all(|theirs| theirs["error"].is_string()), "{described:?}");
}
