//! The list as a file for spreadsheets, of any length.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::query::ListQuery;
use super::table::Column;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::online;
use crate::service::devices::Asked;
use crate::service::export::{self, csv_of};
use crate::store::devices::Device;
use crate::web::failure::Failure;
use crate::web::viewer::Viewer;

/// `GET /devices.csv`: all that match, in the columns of the list.
pub(super) async fn csv(
    viewer: Viewer,
    State(app): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Failure> {
    let query = ListQuery::read(raw.as_deref().unwrap_or_default());
    let ctx = viewer.ctx().clone();
    let since = online::since(&app.config, ctx.now);
    let name = format!("devices-{}.csv", ctx.now.format("%Y-%m-%d"));
    let asked = Asked { selector: query.selector(), ..Asked::default() };
    let pages = export::devices(app.clone(), ctx, asked).await?;
    let head: Result<Vec<u8>, Error> = Ok(csv_of([query.words()]));
    let columns = query.columns;
    let body = stream::iter([head]).chain(pages.map_ok(move |page| lines(&page, &columns, since)));
    let fields = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((fields, Body::from_stream(body)).into_response())
}

fn lines(page: &[Device], columns: &[Column], online_since: DateTime<Utc>) -> Vec<u8> {
    let line = |device: &Device| -> Vec<String> {
        columns.iter().map(|column| column.plain(device, online_since)).collect()
    };
    csv_of(page.iter().map(line))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::web::devices::tests::{device, now};

    #[test]
    fn a_device_is_a_line_of_what_the_list_shows() {
        let mut device = device("HEX0123");
        device.site = Some("eu.lv".to_owned());
        device.tags = vec!["pilot".to_owned(), "tower".to_owned()];
        device.identity = Some("=1+1".to_owned());
        let columns =
            ["serial", "online", "site", "tags", "identity", "last_inform", "last_boot", "events"]
                .map(|word| Column::named(word).unwrap());
        let text = String::from_utf8(lines(&[device], &columns, now())).unwrap();
        let expected =
            "HEX0123,no,eu.lv,pilot tower,'=1+1,2026-11-22T09:25:00Z,,\"1 BOOT, 2 PERIODIC\"\r\n";
        assert_eq!(text, expected);
    }
}
