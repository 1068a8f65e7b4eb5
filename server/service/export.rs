//! Whole lists of devices, for files: page by page, so that a list of any length takes no more
//! memory than one page.
//!
//! Owns how a list is written as CSV. It must never write what a spreadsheet would take for a
//! formula: devices choose their own names.

use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream, TryStreamExt};

use super::devices::{self, Asked};
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::store::devices::Device;

/// Devices that are read at once.
const PAGE: i64 = 1_000;
/// How long a list may take to be read: what its reader may was asked when it began.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// What makes a formula of a cell at its beginning.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A list that is being read.
struct Progress {
    app: Shared,
    ctx: Ctx,
    asked: Asked,
    /// A page that was read before anybody asked for it.
    ready: Option<Vec<Device>>,
    /// When it began.
    since: Instant,
}

/// All devices that the caller sees and `asked` finds, a page at a time, in order of their ids; its
/// `limit` does not matter.
///
/// # Errors
/// As [`devices::list`]. What fails after the first page is logged here and ends the stream, as its
/// age does: its reader can only break off.
pub async fn devices(
    app: Shared,
    ctx: Ctx,
    asked: Asked,
) -> Result<impl Stream<Item = Result<Vec<Device>, Error>> + Send + 'static, Error> {
    let asked = Asked { limit: PAGE, ..asked };
    // So that what is wrong with the question is an answer, and not a list that breaks off.
    let first = devices::list(&app, &ctx, &asked).await?;
    let progress = Progress { app, ctx, asked, ready: Some(first), since: Instant::now() };
    let pages = stream::try_unfold(progress, next);
    Ok(pages.inspect_err(|e| tracing::error!(cause = %e.private(), "an export broke off")))
}

async fn next(mut progress: Progress) -> Result<Option<(Vec<Device>, Progress)>, Error> {
    check_age(progress.since.elapsed())?;
    let page = match progress.ready.take() {
        Some(page) => page,
        None => devices::list(&progress.app, &progress.ctx, &progress.asked).await?,
    };
    let Some(last) = page.last() else { return Ok(None) };
    progress.asked.after = Some(last.device_id);
    Ok(Some((page, progress)))
}

/// Ends a list that takes too long.
///
/// # Errors
/// [`Error::Conflict`] for one that has been read for so long.
pub fn check_age(age: Duration) -> Result<(), Error> {
    if age <= LIFE {
        return Ok(());
    }
    Err(Error::Conflict(format!("a list was not read within {} minutes", LIFE.as_secs() / 60)))
}

/// Records as CSV (RFC 4180). A cell that a spreadsheet would take for a formula begins with an
/// apostrophe instead.
pub fn csv_of(records: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut builder = csv::WriterBuilder::new();
    builder.terminator(csv::Terminator::CRLF).flexible(true);
    let mut writer = builder.from_writer(&mut text);
    for record in records {
        let cells = record.into_iter().map(harmless);
        writer.write_record(cells).expect("memory takes records of any length");
    }
    writer.flush().expect("memory takes what is written");
    drop(writer);
    text
}

fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn line(cells: &[&str]) -> String {
        let record = cells.iter().map(|cell| (*cell).to_owned()).collect();
        String::from_utf8(csv_of([record])).unwrap()
    }

    #[test]
    fn a_list_is_not_read_for_ever() {
        assert!(check_age(LIFE).is_ok());
        assert!(check_age(LIFE + Duration::from_millis(1)).is_err());
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(line(&["A1", "hAP ac²", ""]), "A1,hAP ac²,\r\n");
        assert_eq!(
            line(&["a,b", "say \"x\"", "two\nlines"]),
            "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n"
        );
        assert_eq!(csv_of([]), b"");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=HYPERLINK(\"http://x\")"] {
            let text = line(&["A1", cell]);
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(&record[1], format!("'{cell}"));
        }
        assert_eq!(line(&["a=1", "7.16-rc1"]), "a=1,7.16-rc1\r\n");
    }
}
