//! What differs between a backup and another one of the device, word by word, and what can be done
//! about that: say that it is right, adopt it into a variable.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono_tz::Tz;
use muster_routeros::export::{Kind, Piece};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Kept, path, why};
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::backup::adopt::Adoption;
use crate::service::backups::{self as service, Compared, Line, With};
use crate::store::backups::Backup;
use crate::web::days;
use crate::web::device::{Head, Tab, look, operate, shell};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::Form;
use crate::web::format::shortened;
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Characters of a comparison that are shown, a row counting as [`ROW`] at least.
const SHOWN: usize = 300_000;
const ROW: usize = 100;
/// Characters of one line that are shown.
const LONGEST: usize = 2_000;
/// Characters at either end of what is the same in a longer line that changed.
const END: usize = 100;
/// Backups to choose from, the newest first.
const OFFERED: i64 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DiffQuery {
    with: String,
}

#[derive(Serialize)]
struct DiffPage {
    shell: Shell,
    head: Head,
    from: Kept,
    to: Kept,
    /// What it is compared with, as the address says it.
    with: String,
    choices: Vec<Choice>,
    added: usize,
    removed: usize,
    blocks: Vec<Block>,
    /// Not all of it is shown.
    cut: bool,
    /// Not all of it was compared.
    partial: bool,
    /// It is known what the template writes.
    told: bool,
    /// Columns of the table.
    columns: usize,
    adoptions: Vec<Adoptable>,
    /// It can be accepted.
    accept: bool,
}

/// A backup to compare with.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Choice {
    value: String,
    label: String,
}

/// Lines of one menu that follow each other.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Block {
    /// Empty where its first line says it.
    heading: String,
    rows: Vec<Row>,
    #[serde(skip)]
    menu: String,
}

/// A line of both; a side that is empty does not have it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    /// `same`, `added`, `removed`, `changed`; `gap` = lines that are the same are left out.
    kind: &'static str,
    before: Vec<Word>,
    after: Vec<Word>,
    /// Who writes what stands there: `template`, `other`, or empty = nobody knows.
    by: &'static str,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Word {
    text: String,
    changed: bool,
}

/// A value that a variable could have.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Adoptable {
    variable: String,
    /// Menu and property.
    place: String,
    from: String,
    to: String,
}

/// `GET /devices/{id}/backups/{backup_id}/diff`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, backup_id)): Path<(String, Uuid)>,
    Query(query): Query<DiffQuery>,
) -> Result<Response, Failure> {
    let (_, head) = look(&app, &viewer, &id, Tab::Backups).await?;
    let ctx = viewer.ctx();
    let word = if query.with.is_empty() { "before" } else { query.with.as_str() };
    let with: With = word.parse()?;
    let compared = service::diff(&app, ctx, &id, backup_id, with).await?;
    let kept = service::list(&app, ctx, &id, None, OFFERED).await?;
    let shell = shell(&app, &viewer, &head, "what differs");
    let page = DiffPage {
        with: word.to_owned(),
        choices: choices(&kept, backup_id, days::zone(&viewer)),
        ..told(shell, head, compared, ctx)
    };
    Ok(render(View::DeviceBackupDiff, &page)?.into_response())
}

/// What is compared; not what else it could be.
fn told(shell: Shell, head: Head, compared: Compared, ctx: &Ctx) -> DiffPage {
    let Compared { from, to, added, removed, cut: partial, lines, adoptions } = compared;
    let (blocks, cut) = blocks(&lines);
    let told = lines.iter().any(|line| line.written.is_some());
    DiffPage {
        shell,
        from: Kept::new(&from, ctx.now),
        with: String::new(),
        choices: Vec::new(),
        added,
        removed,
        blocks,
        cut,
        partial,
        told,
        columns: if told { 3 } else { 2 },
        adoptions: adoptions.into_iter().map(adoptable).collect(),
        accept: head.may.operate && !to.accepted && to.incomplete.is_empty(),
        to: Kept::new(&to, ctx.now),
        head,
    }
}

/// What a backup can be compared with, the others by the clock of whoever looks.
fn choices(kept: &[Backup], this: Uuid, zone: Tz) -> Vec<Choice> {
    let named = [("before", "the one before it"), ("accepted", "the accepted one")];
    let named = named.map(|(value, label)| Choice { value: value.into(), label: label.into() });
    let others = kept.iter().filter(|one| one.backup_id != this);
    let other = |one: &Backup| Choice {
        value: one.backup_id.to_string(),
        label: format!(
            "{}, {}",
            one.at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z"),
            why(&one.cause)
        ),
    };
    named.into_iter().chain(others.map(other)).collect()
}

/// The lines by their menus, as many as a page can bear, and whether that is not all.
fn blocks(lines: &[Line]) -> (Vec<Block>, bool) {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut used, mut cut) = (0, false);
    for line in lines {
        let ((row, is_cut), menu) = (row(line), &line.diff.menu);
        cut |= is_cut;
        used += row.weight();
        if used > SHOWN {
            return (blocks, true);
        }
        match blocks.last_mut() {
            // What is left out belongs to no menu.
            Some(block) if row.kind == "gap" || block.menu == *menu => block.rows.push(row),
            _ => {
                let heading = if row.says_menu() { String::new() } else { menu.clone() };
                blocks.push(Block { heading, rows: vec![row], menu: menu.clone() });
            }
        }
    }
    (blocks, cut)
}

/// A line, and whether something of it that changed is not shown.
fn row(line: &Line) -> (Row, bool) {
    let diff = &line.diff;
    let (kind, whole) = match diff.kind {
        Kind::Same => ("same", false),
        Kind::Added => ("added", true),
        Kind::Removed => ("removed", true),
        Kind::Changed => ("changed", false),
        Kind::Gap => ("gap", false),
    };
    let side = |pieces: Option<&[Piece]>| words(pieces.unwrap_or_default(), whole);
    let (mut before, one) = side(diff.before.as_deref());
    let (mut after, other) = side(diff.after.as_deref());
    if kind == "same" && before.is_empty() {
        before.clone_from(&after);
    } else if kind == "same" && after.is_empty() {
        after.clone_from(&before);
    }
    let by = match line.written {
        Some(true) => "template",
        Some(false) => "other",
        None => "",
    };
    (Row { kind, before, after, by }, one || other)
}

/// Pieces of a line, or all of it as one that changed, and whether something that changed is left out. Of a
/// line that is too long the middle of what is the same goes first, then its end.
fn words(pieces: &[Piece], whole: bool) -> (Vec<Word>, bool) {
    let is_change = |piece: &Piece| whole || piece.changed;
    let length: usize = pieces.iter().map(|piece| piece.text.chars().count()).sum();
    let is_long = length > LONGEST && pieces.iter().any(is_change);
    let mut words = Vec::new();
    let mut left = LONGEST;
    for (at, piece) in pieces.iter().enumerate() {
        let changed = is_change(piece);
        let text = if is_long && !changed { ends(&piece.text) } else { piece.text.clone() };
        let shown = shortened(&text, left);
        let is_cut = shown != text;
        left = left.saturating_sub(shown.chars().count());
        words.push(Word { text: shown, changed });
        if is_cut {
            return (words, pieces[at..].iter().any(is_change));
        }
    }
    (words, false)
}

/// Both ends of a text that is too long.
fn ends(text: &str) -> String {
    let length = text.chars().count();
    if length <= 2 * END {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(length - END).collect();
    format!("{} {tail}", shortened(text, END))
}

impl Row {
    /// How much of a page it takes.
    fn weight(&self) -> usize {
        let words = self.before.iter().chain(&self.after);
        ROW + words.map(|word| word.text.len()).sum::<usize>()
    }

    /// Whether no heading is needed above it.
    fn says_menu(&self) -> bool {
        let first = self.after.first().or(self.before.first());
        self.kind == "gap" || first.is_some_and(|word| word.text.starts_with('/'))
    }
}

fn adoptable(adoption: Adoption) -> Adoptable {
    let to = match adoption.to {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Adoptable {
        place: format!("{} {}", adoption.menu, adoption.property),
        variable: adoption.variable,
        from: adoption.from,
        to,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    variable: String,
}

/// `POST /devices/{id}/backups/{backup_id}/adopt`
pub(super) async fn adopt(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, backup_id)): Path<(String, Uuid)>,
    Form(sent): Form<Chosen>,
) -> Result<Response, Failure> {
    let (device, _) = operate(&app, &viewer, &id).await?;
    let flash = match service::adopt(&app, viewer.ctx(), &id, backup_id, &sent.variable).await {
        Ok(adoption) => {
            let Adoptable { variable, to, .. } = adoptable(adoption);
            let done = format!("The variable {variable} of this device is {to} now.");
            Flash::done(format!("{done} Accept the backup, too: it is drift until then."))
        }
        Err(Error::Conflict(why) | Error::Invalid { message: why, .. }) => {
            Flash::failed(format!("Nothing was done: {why}."))
        }
        Err(error) => return Err(error.into()),
    };
    let here = path(device.device_id, backup_id);
    Ok(flash::to(&format!("{here}/diff?with=accepted"), flash))
}

#[cfg(test)]
fn sample_line(kind: Kind, menu: &str, before: &str, after: &str, written: Option<bool>) -> Line {
    use muster_routeros::export::DiffLine;

    let pieces = |text: &str| {
        let piece = Piece { text: text.to_owned(), changed: kind == Kind::Changed };
        (!text.is_empty()).then(|| vec![piece])
    };
    let (before, after) = (pieces(before), pieces(after));
    Line { diff: DiffLine { kind, menu: menu.to_owned(), before, after }, written }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::sample_backup;
    use crate::web::views::sample;

    let evil = "<x-evil>";
    let lines = |written: Option<bool>| {
        vec![
            sample_line(Kind::Gap, "", "", "", None),
            sample_line(Kind::Same, evil, evil, evil, None),
            sample_line(Kind::Changed, evil, evil, evil, written),
            sample_line(Kind::Added, evil, "", evil, written),
            sample_line(Kind::Removed, evil, evil, "", written.map(|is| !is)),
        ]
    };
    let adoption = Adoption {
        variable: evil.to_owned(),
        menu: evil.to_owned(),
        property: evil.to_owned(),
        from: evil.to_owned(),
        to: Value::from(evil),
    };
    let page = |lines: Vec<Line>, adoptions: Vec<Adoption>, operate: bool| {
        let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
        let (from, to) = (sample_backup(2), sample_backup(3));
        let (added, removed) = (lines.len(), 0);
        let cut = operate;
        let compared = Compared { from, to, added, removed, cut, lines, adoptions };
        let mut head = Head::sample();
        head.may.operate = operate;
        let told = told(Shell::sample(), head, compared, &ctx);
        let with = if operate { "accepted" } else { "before" }.to_owned();
        let choices = choices(&[sample_backup(1)], Uuid::nil(), Tz::UTC);
        let page = DiffPage { with, choices, cut: operate, ..told };
        sample(View::DeviceBackupDiff, &page)
    };
    vec![
        page(lines(Some(true)), vec![adoption], true),
        page(lines(None), Vec::new(), false),
        page(Vec::new(), Vec::new(), true),
    ]
}

#[cfg(test)]
mod tests {
    use muster_routeros::export::DiffLine;

    use super::super::sample_backup;
    use super::*;

    #[test]
    fn lines_stand_below_their_menu_unless_they_are_it() {
        let lines = [
            sample_line(Kind::Gap, "", "", "", None),
            sample_line(Kind::Same, "/ip/dns", "set a=1", "set a=1", None),
            sample_line(Kind::Added, "/ip/dns", "", "set b=1", Some(true)),
            sample_line(Kind::Gap, "", "", "", None),
            sample_line(Kind::Same, "/ip/dns", "set z=1", "", None),
            sample_line(Kind::Removed, "/ppp", "/ppp", "", Some(false)),
        ];
        let (blocks, cut) = blocks(&lines);
        let kinds = |block: &Block| block.rows.iter().map(|row| row.kind).collect::<Vec<_>>();
        let told: Vec<_> = blocks.iter().map(|b| (b.heading.as_str(), kinds(b))).collect();
        let expected = [
            ("", vec!["gap"]),
            ("/ip/dns", vec!["same", "added", "gap", "same"]),
            ("", vec!["removed"]),
        ];
        assert_eq!(told, expected);
        assert!(!cut);
        let rows = &blocks[1].rows;
        assert_eq!(rows[3].before, rows[3].after, "the same on either side");
        assert!(rows[1].before.is_empty() && rows[1].after[0].changed);
        assert_eq!((rows[1].by, blocks[2].rows[0].by, rows[0].by), ("template", "other", ""));
    }

    #[test]
    fn no_page_is_longer_than_somebody_reads() {
        let line = || sample_line(Kind::Added, "/ip/dns", "", &"x".repeat(2 * LONGEST), None);
        let (one, cut) = blocks(&[line()]);
        assert!(cut, "its end is not shown");
        assert_eq!(one[0].rows[0].after[0].text.chars().count(), LONGEST + 1);
        let many: Vec<Line> = (0..SHOWN / LONGEST + 1).map(|_| line()).collect();
        let (shown, cut) = blocks(&many);
        assert!(cut && shown[0].rows.len() < many.len());
        let none: Vec<Line> =
            (0..SHOWN / ROW + 1).map(|_| sample_line(Kind::Gap, "", "", "", None)).collect();
        assert!(blocks(&none).1, "rows of nothing are rows, too");
    }

    #[test]
    fn what_changed_in_a_long_line_is_shown_wherever_it_stands() {
        let same = "x".repeat(3_000);
        let line = |word: &str| {
            let side = |word: &str| {
                let piece = |text: &str, changed: bool| Piece { text: text.to_owned(), changed };
                Some(vec![piece(&same, false), piece(word, true), piece(&same, false)])
            };
            let line = sample_line(Kind::Changed, "/ip/firewall/filter", "a", "b", None);
            let diff = DiffLine { before: side(word), after: side("drop"), ..line.diff };
            Line { diff, ..line }
        };
        let (shown, cut) = blocks(&[line("accept")]);
        let row = &shown[0].rows[0];
        let changed = |words: &[Word]| {
            let changed = words.iter().filter(|word| word.changed);
            changed.map(|word| word.text.clone()).collect::<String>()
        };
        let both = (changed(&row.before), changed(&row.after));
        assert_eq!(both, ("accept".to_owned(), "drop".to_owned()));
        assert!(!cut && row.weight() < LONGEST, "{row:?}");
        // What changed may be too long itself.
        assert!(blocks(&[line(&"y".repeat(2 * LONGEST))]).1);
        assert!(!blocks(&[sample_line(Kind::Same, "/ip/dns", &same, &same, None)]).1);
    }

    #[test]
    fn one_is_compared_with_any_but_itself() {
        let kept = [sample_backup(3), sample_backup(2)];
        let choices = choices(&kept, Uuid::from_u128(3), Tz::Asia__Tokyo);
        let values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
        assert_eq!(values, ["before", "accepted", "00000000-0000-0000-0000-000000000002"]);
        assert_eq!(choices[2].label, "1970-01-01 09:00 JST, by the clock");
    }

    #[test]
    fn a_value_is_told_as_it_would_be_written() {
        let of = |to: Value| {
            let (menu, property) = ("/ip/dns".to_owned(), "servers".to_owned());
            let (variable, from) = ("dns".to_owned(), "9.9.9.9".to_owned());
            adoptable(Adoption { variable, menu, property, from, to })
        };
        assert_eq!(of(Value::from("1.1.1.1")).to, "1.1.1.1");
        let number = of(Value::from(8));
        assert_eq!((number.to.as_str(), number.place.as_str()), ("8", "/ip/dns servers"));
    }
}
