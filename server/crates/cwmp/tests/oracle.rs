//! Checks against files that nobody here wrote: published captures of real devices, which must be
//! understood, and the standard's schemas, which all that the ACS sends must satisfy (S11).
//!
//! The files are not part of the repository. `MUSTER_ORACLE` names their folder; where it is absent
//! these tests say "skipped: no oracle".

#[path = "oracle/samples.rs"]
mod samples;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use muster_cwmp::decode::{DecodeError, decode};
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::fault::FaultCode;
use muster_cwmp::rpc::{Body, Envelope, Request};
use muster_cwmp::xml::Limits;

fn oracle() -> Option<PathBuf> {
    let folder = std::env::var_os("MUSTER_ORACLE").map(PathBuf::from).unwrap_or_else(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        workspace.join("..").join("shared").join("oracle")
    });
    if !folder.is_dir() {
        println!("skipped: no oracle");
        return None;
    }
    Some(folder)
}

/// The body and Content-Type of a capture, which may be a whole HTTP request.
fn unwrap_http(capture: &[u8]) -> (Vec<u8>, Option<String>) {
    if !capture.starts_with(b"POST ") {
        return (capture.to_vec(), None);
    }
    let text = String::from_utf8_lossy(capture);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .or_else(|| text.split_once("\n\n"))
        .expect("an HTTP capture has a blank line after its header");
    let header = |name: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find_map(|(key, value)| {
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let chunked = header("Transfer-Encoding").is_some_and(|v| v == "chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    (body.into_bytes(), header("Content-Type"))
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size in hex");
        if size == 0 {
            break;
        }
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}

fn read_capture(path: &Path) -> Result<Envelope, DecodeError> {
    let (body, content_type) = unwrap_http(&fs::read(path).expect("a readable capture"));
    decode(&body, content_type.as_deref(), &Limits::default())
}

#[test]
fn every_capture_is_understood_or_refused_as_its_readme_says() {
    let Some(oracle) = oracle() else { return };
    let mut seen = 0;
    for entry in fs::read_dir(oracle.join("captures")).expect("a folder of captures") {
        let path = entry.expect("a directory entry").path();
        let name = path.file_name().expect("a file name").to_string_lossy().into_owned();
        if name == "README" {
            continue;
        }
        seen += 1;
        let broken =
            name.starts_with("05-") || name.starts_with("15-") || name.contains("FRAGMENT");
        match read_capture(&path) {
            Err(error) => assert!(broken, "{name}: {error}"),
            Ok(envelope) => {
                assert!(!broken, "{name} is cut short, yet read as {envelope:?}");
                check_capture(&name, &envelope);
            }
        }
    }
    assert!(seen > 10, "only {seen} captures");
}

/// What a capture must mean is told by its file name.
fn check_capture(name: &str, envelope: &Envelope) {
    assert_eq!(envelope.namespace, "urn:dslforum-org:cwmp-1-0", "{name}");
    let lower = name.to_ascii_lowercase();
    match &envelope.body {
        Body::Request(Request::Inform(inform)) => {
            assert!(!inform.device_id.serial_number.is_empty(), "{name}");
            assert_eq!(inform.events.len(), 1, "{name}");
            assert!(inform.parameters.len() > 6, "{name}");
            assert!(lower.contains("inform") || lower.contains("chunked"), "{name}");
        }
        Body::Request(Request::TransferComplete(call)) => {
            let fault = call.fault.as_ref().expect("a fault");
            assert_eq!(fault.code, FaultCode(9015), "{name}");
        }
        Body::Fault(fault) => {
            assert!(lower.contains("fault") && fault.code.0 >= 9000, "{name}: {fault}");
        }
        Body::Response(answer) => {
            let known = lower.contains("gpa") || lower.contains("getrpcmethodsresponse");
            assert!(known, "{name}: {answer:?}");
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// The Body child as a document of its own, with the root's namespace declarations (section 9.2).
fn body_child(message: &str) -> String {
    let (_, root) = message.split_once("<soap-env:Envelope ").expect("an envelope");
    let (declarations, rest) = root.split_once('>').expect("the end of the root tag");
    let (_, body) = rest.split_once("<soap-env:Body>").expect("a Body");
    let (child, _) = body.split_once("</soap-env:Body>").expect("the end of the Body");
    let (tag, content) = child.split_once('>').expect("a Body child");
    format!("{tag} {declarations}>{content}")
}

/// Which of the files fail the schema; `None` where there is no xmllint.
fn invalid(schema: &Path, files: &[PathBuf]) -> Option<BTreeSet<String>> {
    let mut command = Command::new("xmllint");
    let result = command.arg("--noout").arg("--schema").arg(schema).args(files);
    let output = match result.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: no xmllint");
            return None;
        }
        Err(error) => panic!("xmllint: {error}"),
    };
    let report = String::from_utf8_lossy(&output.stderr);
    let failing = files
        .iter()
        .filter(|file| !report.lines().any(|line| line == format!("{} validates", file.display())))
        .map(|file| file.file_stem().expect("a file name").to_string_lossy().into_owned())
        .collect::<BTreeSet<_>>();
    println!("{report}");
    Some(failing)
}

#[test]
fn all_that_the_acs_sends_satisfies_the_schema() {
    let Some(oracle) = oracle() else { return };
    // 1.2, 1.3 and 1.4 share a namespace, and the schema of 1.4 contains the others.
    for (minor, schema) in [(0, "cwmp-1-0.xsd"), (1, "cwmp-1-1.xsd"), (2, "cwmp-1-4.xsd")] {
        let schema = oracle.join("xsd").join(schema);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schema-1-{minor}"));
        let (wholes, children) = (folder.join("whole"), folder.join("child"));
        // Left-overs of an older set of samples would be harmless, but not understood.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&wholes).expect("a folder for whole messages");
        fs::create_dir_all(&children).expect("a folder for Body children");
        let (mut whole_files, mut child_files) = (Vec::new(), Vec::new());
        for (name, envelope) in samples::acs_messages(minor) {
            let text = encode(&envelope, Dialect::Acs);
            let file = format!("{name}.xml");
            fs::write(wholes.join(&file), &text).expect("a written message");
            fs::write(children.join(&file), body_child(&text)).expect("a written Body child");
            whole_files.push(wholes.join(&file));
            child_files.push(children.join(&file));
        }
        let Some(whole) = invalid(&schema, &whole_files) else { return };
        let Some(child) = invalid(&schema, &child_files) else { return };
        // C9: MikroTik speaks 1.0, where the schema does not know its own file type.
        let exceptions: &[&str] = if minor < 2 { &[samples::MIKROTIK_DOWNLOAD] } else { &[] };
        let expected: BTreeSet<String> = exceptions.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(whole, expected, "whole messages of 1.{minor}");
        assert_eq!(child, expected, "Body children of 1.{minor}");
    }
}

/// Shows that the second validation is the one that can tell a misspelt method.
#[test]
fn a_misspelt_method_fails_as_a_document_of_its_own() {
    let Some(oracle) = oracle() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let envelope = samples::envelope(0, Body::UnknownMethod("FactoryRest".into()));
    let file = folder.join("misspelt.xml");
    fs::write(&file, body_child(&encode(&envelope, Dialect::Acs))).expect("a written Body child");
    let failing = invalid(&oracle.join("xsd").join("cwmp-1-0.xsd"), &[file]);
    assert!(failing.is_none_or(|names| names.contains("misspelt")));
}
