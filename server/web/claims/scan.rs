//! Claiming devices one after the other, as they are unpacked: each code that is scanned or typed is a
//! claim at once, for the site and the profile that are chosen.
//!
//! A wedge types the code and strikes Enter, which is all that the form needs. Where there is script
//! (`scan.js`) each code is answered in a line of its own, and a camera may read it.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Choice, Offered, path, said, tags};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::claim::{ClaimFields, mac};
use crate::service::claims as service;
use crate::web::failure::Failure;
use crate::web::form::{Complaints, Form};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{self, View};

/// In the form: what a code without a mark says is a MAC address.
const MAC: &str = "mac";
/// What stands before a serial number, and before an address, where a code says which it is.
static MARKS: [(&str, &[&str]); 2] = [
    ("serial", &["s/n", "sn", "serial", "serial no", "serial number"]),
    (MAC, &["mac", "mac address", "e-mac", "eth mac"]),
];

/// What is chosen, and a code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ScanForm {
    code: String,
    /// `mac`: what a code says is a MAC address, where it does not tell by itself.
    kind: String,
    site: String,
    profile: String,
    tags: String,
}

impl ScanForm {
    /// The claim that a code asks for.
    fn fields(&self) -> Result<ClaimFields, Error> {
        let (kind, code) = marked(self.code.trim());
        if code.is_empty() {
            return Err(Error::invalid("/code", "Scan a code, or type one."));
        }
        let kind = kind.unwrap_or(self.kind.as_str());
        let address = kind == MAC || (code.contains([':', '-', '.']) && mac(code).is_some());
        let (serial, mac) = match address {
            true => (None, said(code)),
            false => (Some(serial(code)?), None),
        };
        Ok(ClaimFields {
            serial,
            mac,
            site: said(&self.site),
            profile: said(&self.profile),
            tags: tags(&self.tags),
            ..ClaimFields::default()
        })
    }
}

/// What a code says that it is, if it does, and the rest of it.
fn marked(code: &str) -> (Option<&'static str>, &str) {
    if let Some((mark, rest)) = code.split_once([':', '=']) {
        let mark = mark.trim().to_ascii_lowercase();
        let known = MARKS.iter().find(|(_, marks)| marks.contains(&mark.as_str()));
        if let Some((kind, _)) = known {
            return (Some(*kind), rest.trim());
        }
    }
    (None, code)
}

/// The serial number in a code. A label has other codes, too, and none of them is to become a claim.
fn serial(code: &str) -> Result<String, Error> {
    // On a label a slash and what the factory calls the batch stand behind it.
    let serial = match code.contains("://") {
        true => code,
        false => code.split('/').next().unwrap_or_default().trim(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if serial.is_empty() || !serial.chars().all(plain) {
        let why = "This is no serial number: scan the code that stands beside S/N.";
        return Err(Error::invalid("/code", why));
    }
    Ok(serial.to_owned())
}

#[derive(Serialize)]
struct ScanPage {
    shell: Shell,
    /// Of fields: none, as each code is answered in its line.
    errors: Complaints,
    draft: ScanForm,
    kinds: Vec<Choice>,
    offered: Offered,
    /// What became of the code before.
    line: Option<Line>,
}

/// What became of a code.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    word: &'static str,
    /// Yes, or no: to be read from afar.
    label: &'static str,
    code: String,
    words: String,
    /// The claim; empty = there is none.
    href: String,
}

/// The same alone.
#[derive(Serialize)]
struct Scanned {
    line: Line,
}

/// `GET /claims/scan`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ScanForm>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, query, None).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    sent: ScanForm,
    line: Option<Line>,
) -> Result<Response, Failure> {
    let failed = line.as_ref().is_some_and(|line| line.href.is_empty());
    let page = ScanPage {
        shell: Shell::new(viewer, &app.config, "Scan claims", Section::Claims),
        errors: Complaints::default(),
        offered: Offered::with(app, viewer.ctx(), &sent.profile).await?,
        kinds: kinds(),
        // The field is for the next one.
        draft: ScanForm { code: String::new(), ..sent },
        line,
    };
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, views::render(View::ClaimScan, &page)?).into_response())
}

fn kinds() -> Vec<Choice> {
    let choice =
        |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned() };
    vec![choice("", "the serial number"), choice(MAC, "the MAC address")]
}

/// `POST /claims/scan`: one code. The answer to a script is its line.
pub(super) async fn add(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Form(sent): Form<ScanForm>,
) -> Result<Response, Failure> {
    let claimed = match sent.fields() {
        Ok(fields) => {
            let own_credential = app.config.zero_touch.claims_own_credential;
            service::create(&app, viewer.ctx(), ClaimFields { own_credential, ..fields }).await
        }
        Err(error) => Err(error),
    };
    let code = sent.code.trim().to_owned();
    let line = match claimed {
        Ok(claim) => yes(code, ClaimFields::of(&claim), path(claim.claim_id)),
        Err(error) => no(code, error)?,
    };
    match visit.htmx {
        true => Ok(views::render(View::ClaimScanned, &Scanned { line })?.into_response()),
        false => shown(&app, &viewer, sent, Some(line)).await,
    }
}

fn yes(code: String, fields: ClaimFields, href: String) -> Line {
    let by = match &fields.serial {
        Some(serial) => format!("serial number {serial}"),
        None => format!("MAC address {}", fields.name()),
    };
    let site = fields.site.map(|site| format!(", for {site}")).unwrap_or_default();
    let profile = fields.profile.map(|profile| format!(", as {profile}")).unwrap_or_default();
    let words = format!("Claimed by its {by}{site}{profile}.");
    Line { word: "done", label: "Yes", code, words, href }
}

/// Why a code is no claim.
///
/// # Errors
/// The error itself where it is not about what was sent.
fn no(code: String, error: Error) -> Result<Line, Error> {
    let (word, words) = match error {
        Error::Conflict(why) => ("warn", why),
        Error::Invalid { message, .. } | Error::Denied(message) => ("failed", message),
        other => return Err(other),
    };
    Ok(Line { word, label: "No", code, words, href: String::new() })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tests::offered;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |line: Option<Line>| {
        let page = ScanPage {
            shell: Shell::sample(),
            errors: Complaints::default(),
            draft: ScanForm {
                code: evil(),
                kind: evil(),
                site: evil(),
                profile: evil(),
                tags: evil(),
            },
            kinds: kinds(),
            offered: offered(),
            line,
        };
        sample(View::ClaimScan, &page)
    };
    let fields = || ClaimFields { serial: Some(evil()), site: Some(evil()), ..Default::default() };
    let line = || yes(evil(), fields(), "/claims/7".to_owned());
    let refused = || no(evil(), Error::Denied(evil())).ok();
    let alone = |line: Option<Line>| line.map(|line| sample(View::ClaimScanned, &Scanned { line }));
    let mut all = vec![page(None), page(Some(line())), page(refused())];
    all.extend([alone(Some(line())), alone(refused())].into_iter().flatten());
    all
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn scanned(code: &str, kind: &str) -> Result<(Option<String>, Option<String>), Error> {
        let form = ScanForm {
            code: code.to_owned(),
            kind: kind.to_owned(),
            tags: "a b".to_owned(),
            ..ScanForm::default()
        };
        let fields = form.fields()?.checked()?;
        assert_eq!(fields.tags, ["a", "b"]);
        Ok((fields.serial, fields.mac))
    }

    #[test]
    fn a_code_is_a_serial_number_or_an_address() {
        for (code, kind, serial, mac) in [
            (" HGF09ABCDE1 ", "", Some("HGF09ABCDE1"), None),
            // Serial numbers look like this, too.
            ("E48D8C000001", "", Some("E48D8C000001"), None),
            ("E48D8C000001", MAC, None, Some("E4:8D:8C:00:00:01")),
            ("e4:8d:8c:00:00:01", "", None, Some("E4:8D:8C:00:00:01")),
            ("E4-8D-8C-00-00-01", "", None, Some("E4:8D:8C:00:00:01")),
            ("MAC:E48D8C000001", "", None, Some("E4:8D:8C:00:00:01")),
            ("S/N: HGF09ABCDE1/042/r2", "", Some("HGF09ABCDE1"), None),
            ("sn=643D05B1F3C9", MAC, Some("643D05B1F3C9"), None),
            ("643D05B1F3C9/710", "", Some("643D05B1F3C9"), None),
        ] {
            let found = scanned(code, kind).unwrap();
            assert_eq!(found, (serial.map(str::to_owned), mac.map(str::to_owned)), "{code}");
        }
    }

    #[test]
    fn what_is_neither_becomes_no_claim() {
        for code in ["", " ", "https://mt.example/x", "WIFI:S:home;P:x;;", "two words", "S/N:"] {
            assert!(matches!(scanned(code, ""), Err(Error::Invalid { .. })), "{code}");
        }
        assert!(matches!(scanned("HGF09ABCDE1", MAC), Err(Error::Invalid { .. })));
        assert!(matches!(scanned("", MAC), Err(Error::Invalid { .. })));
    }

    #[test]
    fn the_answer_is_yes_or_no_and_says_why() {
        let fields = ClaimFields {
            serial: Some("A1".to_owned()),
            site: Some("eu".to_owned()),
            profile: Some("home".to_owned()),
            ..ClaimFields::default()
        };
        let line = yes("a1".to_owned(), fields, "/claims/7".to_owned());
        assert_eq!(line.words, "Claimed by its serial number A1, for eu, as home.");
        let line = no("a1".to_owned(), Error::Conflict("there is one".to_owned())).unwrap();
        assert_eq!((line.label, line.word, line.href.as_str()), ("No", "warn", ""));
        assert!(no(String::new(), Error::Internal("a bug".to_owned())).is_err());
    }
}
