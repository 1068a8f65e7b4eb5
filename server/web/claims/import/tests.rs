#![expect(clippy::unwrap_used, reason = "tests")]

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde_json::json;
use uuid::Uuid;

use super::*;

/// With hostile words.
pub(super) fn preview(verdicts: &[Verdict]) -> Preview {
    let mut counts = BTreeMap::new();
    for verdict in verdicts {
        *counts.entry(*verdict).or_default() += 1;
    }
    let rows = verdicts.iter().enumerate().map(|(at, verdict)| line(at + 2, *verdict)).collect();
    let (sha256, separator) = ("<x-evil>".to_owned(), ';');
    Preview { rows, counts, exposed: 1, sha256, encoding: Encoding::Latin1, separator }
}

fn line(number: usize, verdict: Verdict) -> Planned {
    let evil = || Some("<x-evil>".to_owned());
    let variables = json!({ "<x-evil>": "********" });
    let fields = ClaimFields {
        serial: evil(),
        mac: evil(),
        model: evil(),
        site: evil(),
        profile: evil(),
        variables: serde_json::from_value(variables).unwrap(),
        tags: vec!["<x-evil>".to_owned()],
        customer: evil(),
        factory_password: evil(),
        own_credential: true,
    };
    let claim_id = (verdict == Verdict::Same).then(|| Uuid::from_u128(7));
    Planned { line: number, verdict, words: evil(), claim_id, fields }
}

async fn form(parts: &[(&str, &str)]) -> Result<Sent, Error> {
    let part = |(disposition, value): &(&str, &str)| {
        format!("--X\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    };
    let body: String = parts.iter().map(part).collect();
    let request = Request::post("/claims/import/preview")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=X")
        .body(Body::from(format!("{body}--X--\r\n")))
        .unwrap();
    read(&mut Multipart::from_request(request, &()).await.unwrap()).await
}

#[tokio::test]
async fn a_table_comes_as_a_file_or_pasted_and_says_what_holds_for_all_lines() {
    let none = ("name=\"file\"; filename=\"\"", "");
    let file = ("name=\"file\"; filename=\"a.csv\"", "serial\r\nA1");
    let site = ("name=\"site\"", " eu ");
    let pasted = form(&[none, ("name=\"text\"", "serial\r\nA2"), site]).await.unwrap();
    assert_eq!((pasted.file.len(), pasted.text.as_slice()), (0, &b"serial\r\nA2"[..]));
    assert_eq!(pasted.draft.defaults(false).site.as_deref(), Some("eu"));
    assert_eq!(pasted.draft.defaults(false).own_credential, None, "nothing is said of it");
    let own = ("name=\"own_credential\"", "yes");
    let tags = ("name=\"tags\"", "a, b");
    let sent = form(&[file, ("name=\"text\"", "serial\r\nA2"), own, tags]).await.unwrap();
    assert_eq!((sent.text.len(), sent.file.as_slice()), (0, &b"serial\r\nA1"[..]));
    let defaults = sent.draft.defaults(false);
    assert_eq!((defaults.own_credential, defaults.site), (Some(true), None));
    // Where that is usual, only the contrary says something.
    assert_eq!(sent.draft.defaults(true).own_credential, None);
    assert_eq!(pasted.draft.defaults(true).own_credential, Some(false));
    assert_eq!(defaults.tags.unwrap(), ["a", "b"]);
    let bare = form(&[none, site]).await.unwrap();
    assert_eq!((bare.file.len(), bare.text.len()), (0, 0));
    assert_eq!(bare.draft.defaults(false).site.as_deref(), Some("eu"), "it is not lost");
}

#[test]
fn the_page_carries_the_table_byte_for_byte() {
    let table: Vec<u8> = (0..=255).collect();
    let told = Told::of(preview(&[Verdict::New]), &table, true);
    assert_eq!(URL_SAFE_NO_PAD.decode(&told.table).unwrap(), table);
    assert!(told.table.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    assert!(told.latin1 && told.separator == "semicolons");
    // As it grows on its way.
    assert!(URL_SAFE_NO_PAD.encode(vec![0; MAX_BYTES]).len() < MAX_BODY);
}

#[test]
fn what_cannot_be_taken_is_told_first_and_nothing_is_left_unsaid() {
    let mut verdicts = vec![Verdict::New; SHOWN.1 + 2];
    verdicts.extend([Verdict::Changes, Verdict::Same, Verdict::Wrong, Verdict::Conflict]);
    let told = Told::of(preview(&verdicts), b"", false);
    assert_eq!((told.bad.len(), told.more_bad), (2, 0));
    assert_eq!((told.good.len(), told.more_good), (SHOWN.1, 4));
    assert_eq!((told.writes, told.left), (SHOWN.1 + 3, 2));
    let labels: Vec<&str> = told.counts.iter().map(|count| count.label).collect();
    assert_eq!(labels, ["new", "changes", "same", "conflict", "wrong"]);
    let none = Told::of(preview(&[]), b"", false);
    assert!(none.counts.is_empty() && none.bad.is_empty() && none.good.is_empty());
}

#[test]
fn a_line_says_in_words_what_it_would_do() {
    let of = |verdict, words: Option<&str>| {
        let words = words.map(str::to_owned);
        LineView::of(Planned { words, ..line(2, verdict) })
    };
    assert_eq!(of(Verdict::New, None).words, "A claim is made.");
    assert_eq!(of(Verdict::New, Some("it is here already")).words, "it is here already");
    assert_eq!(of(Verdict::Changes, Some("site")).words, "The claim is changed: site.");
    assert_eq!(of(Verdict::Wrong, Some("there is no site x")).words, "there is no site x");
    assert!(!of(Verdict::Same, None).href.is_empty());
    let rest = of(Verdict::New, None).rest;
    assert!(!rest.contains("********") && rest.contains("credential of its own"), "{rest}");
    let bare = Planned { fields: ClaimFields::default(), ..line(3, Verdict::Wrong) };
    assert_eq!(LineView::of(bare).device, "");
}

#[test]
fn what_was_imported_is_told() {
    let counts = |pairs: &[(Verdict, usize)]| pairs.iter().copied().collect::<BTreeMap<_, _>>();
    assert_eq!(
        done_words(&counts(&[(Verdict::New, 48), (Verdict::Wrong, 1), (Verdict::Conflict, 1)])),
        "Claims that are made: 48; that are changed: 0. Lines that are left out: 2."
    );
    let none = done_words(&counts(&[(Verdict::Changes, 1)]));
    assert_eq!(none, "Claims that are made: 0; that are changed: 1.");
}
