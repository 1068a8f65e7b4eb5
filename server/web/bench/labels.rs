//! Labels of claimed boards, to be printed and stuck on: a code, and what people read beside it.
//!
//! The code leads to the claim, where the address of this server is known; else it holds what the page
//! that scans claims reads. It holds nothing that is secret: labels lie around.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Serialize;

use super::batch::{BatchQuery, name};
use super::{BATCH, LABELS, Tab, tabs};
use crate::access::totp::picture;
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::bench as service;
use crate::store::bench::BatchRow;
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::manage::{answer, cut, or_complaint, site_paths, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Labels on a page of the dashboard; a few sheets of paper.
const SHEETS: usize = 60;

#[derive(Serialize)]
struct LabelsPage {
    shell: Shell,
    tabs: Vec<Tab>,
    filter: BatchQuery,
    filtered: bool,
    sites: Vec<String>,
    /// What is wrong with the filter; empty = nothing.
    complaint: String,
    labels: Vec<Label>,
    /// What the codes hold, in words.
    holds: &'static str,
    batch: String,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct Label {
    /// SVG.
    qr: String,
    name: String,
    /// Empty where it is the name.
    mac: String,
    model: String,
    site: String,
    customer: String,
}

/// `GET /bench/labels`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<BatchQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = query.place()?;
    let read = async {
        let filter = query.filter()?;
        service::batch(&app, ctx, &filter, after, with_one_more(SHEETS)).await
    };
    let (found, complaint) = or_complaint(read.await)?;
    let (rows, more) = cut(found, SHEETS);
    let last = rows.last().filter(|_| more).map(|row| row.claim_id.to_string());
    let own = app.config.web.public_url.as_deref();
    let labels: Result<Vec<Label>, Error> = rows.iter().map(|row| label(row, own)).collect();
    let page = LabelsPage {
        shell: Shell::new(&viewer, &app.config, "Labels", Section::Bench),
        tabs: tabs(LABELS),
        filtered: query.filtered(),
        sites: site_paths(&app, ctx).await?,
        complaint,
        labels: labels?,
        holds: holds(own),
        batch: query.at(BATCH, ""),
        first: after.map(|_| query.at(LABELS, "")).unwrap_or_default(),
        next: last.map(|id| query.at(LABELS, &id)).unwrap_or_default(),
        filter: query,
    };
    answer(View::BenchLabels, &page, &Complaints::default())
}

fn holds(own: Option<&str>) -> &'static str {
    match own {
        Some(_) => "the address of its claim here: scan it to open that",
        None => {
            "its serial number, or else its MAC address, as the page that scans claims reads it"
        }
    }
}

/// What the code of a label holds.
fn code(row: &BatchRow, own: Option<&str>) -> String {
    match (own, &row.serial, &row.mac) {
        (Some(own), ..) => format!("{own}/claims/{}", row.claim_id),
        (None, Some(serial), _) => format!("S/N:{serial}"),
        (None, None, Some(mac)) => format!("MAC:{mac}"),
        (None, None, None) => row.claim_id.to_string(),
    }
}

fn label(row: &BatchRow, own: Option<&str>) -> Result<Label, Error> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Ok(Label {
        qr: picture(&code(row, own))?,
        name: name(row),
        mac: row.mac.clone().filter(|_| row.serial.is_some()).unwrap_or_default(),
        model: text(&row.model),
        site: text(&row.site),
        customer: text(&row.customer),
    })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::batch::sample_row;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |labels: Vec<Label>, query: BatchQuery, complaint: String| {
        let page = LabelsPage {
            shell: Shell::sample(),
            tabs: tabs(LABELS),
            filtered: query.filtered(),
            sites: vec![evil()],
            complaint,
            labels,
            holds: holds(None),
            batch: query.at(BATCH, ""),
            first: LABELS.to_owned(),
            next: query.at(LABELS, "x"),
            filter: query,
        };
        sample(View::BenchLabels, &page)
    };
    let labels = ["https://muster.example", "https://<x-evil>"]
        .into_iter()
        .filter_map(|own| label(&sample_row(None), Some(own)).ok())
        .collect();
    vec![
        page(labels, BatchQuery::default(), String::new()),
        page(Vec::new(), BatchQuery::default(), evil()),
        page(Vec::new(), BatchQuery::default(), String::new()),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::batch::sample_row;
    use super::*;

    #[test]
    fn a_code_leads_to_the_claim_or_says_what_the_scanner_reads() {
        let mut row = sample_row(None);
        row.serial = Some("HGF09ABCDE1".to_owned());
        row.mac = Some("E4:8D:8C:00:00:01".to_owned());
        let own = Some("https://muster.example");
        assert_eq!(code(&row, own), format!("https://muster.example/claims/{}", row.claim_id));
        assert_eq!(code(&row, None), "S/N:HGF09ABCDE1");
        row.serial = None;
        assert_eq!(code(&row, None), "MAC:E4:8D:8C:00:00:01");
        row.mac = None;
        assert_eq!(code(&row, None), row.claim_id.to_string());
        assert_ne!(holds(own), holds(None));
    }

    #[test]
    fn a_label_is_a_picture_and_what_people_read() {
        let label = label(&sample_row(None), None).unwrap();
        assert!(label.qr.starts_with("<svg") && !label.qr.contains("x-evil"));
        assert_eq!(label.name, "<x-evil>");
    }
}
