//! The text of one backup, saying that it is right, and giving it back to the device.
//!
//! What is offered here is refused by `service` where it cannot be, too.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Kept, path};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::backup::restore::lacks;
use crate::jobs::spec::OverwriteConfirmation;
use crate::service::backups as service;
use crate::store::backups::Backup;
use crate::web::device::{Head, Tab, address, card, look, operate, shell};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::Form;
use crate::web::format::shortened;
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// Characters of a configuration that are shown; the file has all of it.
const SHOWN: usize = 300_000;
/// Menus that are headings; what follows the last one stands below it.
const MENUS: usize = 500;
/// As many of a device's backups are looked at on either side for those that one is compared with.
const LOOKED_AT: i64 = 200;

#[derive(Serialize)]
struct BackupPage {
    shell: Shell,
    head: Head,
    backup: Kept,
    parts: Vec<Part>,
    /// Not all of it is shown.
    cut: bool,
    /// The file as it came; empty = it is gone, or not for the viewer.
    file: String,
    /// Where it is compared with the one before it; empty = there is none.
    before: String,
    /// The same with the accepted one.
    accepted: String,
    /// It can be accepted.
    accept: bool,
    restore: Restore,
}

/// A menu, and what stands in it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Part {
    /// To jump to.
    id: String,
    /// Empty = what stands before the first one.
    menu: String,
    text: String,
}

/// Giving it back.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Restore {
    /// Why that cannot be; empty = it can.
    why_not: &'static str,
    /// What the device will not have then.
    lacks: Vec<String>,
    /// What must be typed.
    words: &'static str,
}

/// `GET /devices/{id}/backups/{backup_id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, backup_id)): Path<(String, Uuid)>,
) -> Result<Response, Failure> {
    let (_, head) = look(&app, &viewer, &id, Tab::Backups).await?;
    let ctx = viewer.ctx();
    let (backup, text) = service::get(&app, ctx, &id, backup_id).await?;
    let others = Others::of(&app, ctx, &id, backup_id).await?;
    let shell = shell(&app, &viewer, &head, "backup");
    let page = told(shell, head, &backup, &text, others, ctx);
    Ok(render(View::DeviceBackup, &page)?.into_response())
}

fn told(
    shell: Shell,
    head: Head,
    backup: &Backup,
    text: &str,
    others: Others,
    ctx: &Ctx,
) -> BackupPage {
    let here = path(backup.device_id, backup.backup_id);
    let diff = |with: &str, is: bool| match is {
        true => format!("{here}/diff?with={with}"),
        false => String::new(),
    };
    let file = backup.artifact_id.filter(|_| head.may.operate);
    let shown = shortened(text, SHOWN);
    let why_not = why_not(backup);
    let is_offered = head.may.operate && why_not.is_empty();
    BackupPage {
        shell,
        backup: Kept::new(backup, ctx.now),
        parts: parts(&shown),
        cut: shown != text,
        file: file.map(|id| address(head.id, &format!("/files/{id}"))).unwrap_or_default(),
        before: diff("before", others.before),
        accepted: diff("accepted", others.accepted),
        accept: head.may.operate && !backup.accepted && backup.incomplete.is_empty(),
        restore: Restore {
            why_not,
            lacks: if is_offered { lacks(text) } else { Vec::new() },
            words: OverwriteConfirmation::WORDS,
        },
        head,
    }
}

fn why_not(backup: &Backup) -> &'static str {
    match (backup.incomplete.is_empty(), backup.artifact_id) {
        (false, _) => "it is incomplete, and the device would be, too",
        (true, None) => "the file as it came is not kept any more",
        (true, Some(_)) => "",
    }
}

/// A text, menu by menu: a line that is nothing but a menu is a heading.
fn parts(text: &str) -> Vec<Part> {
    let part = |at: usize, menu: &str| Part {
        id: format!("menu-{at}"),
        menu: menu.to_owned(),
        text: String::new(),
    };
    let mut parts = vec![part(0, "")];
    for line in text.split_inclusive('\n') {
        let words = line.trim_end();
        let is_menu = words.starts_with('/') && !words.contains(['=', '"', '[']);
        if is_menu && parts.len() <= MENUS {
            parts.push(part(parts.len(), words));
        } else {
            let last = parts.last_mut().expect("there is one from the beginning");
            last.text.push_str(line);
        }
    }
    parts.retain(|part| !(part.menu.is_empty() && part.text.is_empty()));
    parts
}

/// Whether there is what one is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Others {
    before: bool,
    accepted: bool,
}

impl Others {
    async fn of(app: &App, ctx: &Ctx, id: &str, backup_id: Uuid) -> Result<Self, Error> {
        let older = service::list(app, ctx, id, Some(backup_id), LOOKED_AT).await?;
        let newest = service::list(app, ctx, id, None, LOOKED_AT).await?;
        let is_accepted = |one: &Backup| one.accepted && one.backup_id != backup_id;
        Ok(Self {
            before: older.iter().any(|one| one.incomplete.is_empty()),
            accepted: older.iter().chain(&newest).any(is_accepted),
        })
    }
}

/// `POST /devices/{id}/backups/{backup_id}/accept`
pub(super) async fn accept(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, backup_id)): Path<(String, Uuid)>,
) -> Result<Response, Failure> {
    let (device, _) = operate(&app, &viewer, &id).await?;
    let flash = match service::accept(&app, viewer.ctx(), &id, backup_id).await {
        Ok(_) => Flash::done("It is accepted: what differs from it is drift from now on."),
        Err(Error::Conflict(why)) => Flash::failed(why),
        Err(error) => return Err(error.into()),
    };
    Ok(flash::to(&path(device.device_id, backup_id), flash))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    confirm: String,
}

/// `POST /devices/{id}/backups/{backup_id}/restore`
pub(super) async fn restore(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path((id, backup_id)): Path<(String, Uuid)>,
    Form(sent): Form<Typed>,
) -> Result<Response, Failure> {
    let (device, _) = operate(&app, &viewer, &id).await?;
    let failed = |why: String| flash::to(&path(device.device_id, backup_id), Flash::failed(why));
    let Ok(confirm) = OverwriteConfirmation::try_from(sent.confirm.trim().to_owned()) else {
        let words = OverwriteConfirmation::WORDS;
        return Ok(failed(format!("Nothing was done: type “{words}” to confirm.")));
    };
    match service::restore(&app, viewer.ctx(), &id, backup_id, confirm).await {
        Ok(restoring) => card::answer(&app, &viewer, &visit, restoring.job).await,
        Err(Error::Conflict(why)) => Ok(failed(format!("Nothing was done: {why}."))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::sample_backup;
    use crate::web::views::sample;

    let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
    let text = "# <x-evil>\n/ip dns\nset servers=<x-evil>\n/<x-evil>\nset a=b\n";
    let page = |backup: &Backup, operate: bool, all: bool| {
        let mut head = Head::sample();
        head.may.operate = operate;
        let others = Others { before: all, accepted: all };
        let page = told(Shell::sample(), head, backup, text, others, &ctx);
        sample(View::DeviceBackup, &BackupPage { cut: all, ..page })
    };
    let cut = Backup { incomplete: vec!["<x-evil>".to_owned()], ..sample_backup(2) };
    let gone = Backup { artifact_id: None, accepted: true, changed: false, ..sample_backup(1) };
    vec![
        page(&sample_backup(3), true, true),
        page(&cut, true, true),
        page(&gone, true, false),
        page(&gone, false, false),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::sample_backup;
    use super::*;

    fn menus(text: &str) -> Vec<(String, String)> {
        parts(text).into_iter().map(|part| (part.menu, part.text)).collect()
    }

    #[test]
    fn a_menu_is_a_heading_and_a_command_is_none() {
        let text = "# no menu\n/ip dns\nset servers=9.9.9.9\n/system identity set name=attic\n\
                    /ip route\n";
        let expected = [
            ("", "# no menu\n"),
            ("/ip dns", "set servers=9.9.9.9\n/system identity set name=attic\n"),
            ("/ip route", ""),
        ];
        let expected = expected.map(|(menu, text)| (menu.to_owned(), text.to_owned()));
        assert_eq!(menus(text), expected);
        assert_eq!(menus("<xml/>"), [(String::new(), "<xml/>".to_owned())]);
        assert!(menus("").is_empty());
    }

    #[test]
    fn nothing_is_lost_of_a_text_of_nothing_but_menus() {
        let text = "/a\n".repeat(2 * MENUS);
        let parts = parts(&text);
        assert_eq!(parts.len(), MENUS);
        assert_eq!(parts[MENUS - 1].text.lines().count(), MENUS);
        assert!(parts.iter().enumerate().all(|(at, part)| part.id == format!("menu-{}", at + 1)));
    }

    #[test]
    fn what_cannot_be_given_back_says_why() {
        let whole = sample_backup(3);
        assert_eq!(why_not(&whole), "");
        let gone = Backup { artifact_id: None, ..whole.clone() };
        assert!(why_not(&gone).contains("not kept"));
        let cut = Backup { incomplete: vec!["/ppp".to_owned()], ..whole };
        assert!(why_not(&cut).contains("incomplete"));
    }

    #[test]
    fn who_only_reads_is_offered_nothing_to_do() {
        let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
        let others = Others { before: true, accepted: false };
        let of = |operate: bool| {
            let mut head = Head::sample();
            head.may.operate = operate;
            let backup = sample_backup(3);
            let page = told(Shell::sample(), head, &backup, "/ip dns\n", others, &ctx);
            assert!(page.before.ends_with("/diff?with=before") && page.accepted.is_empty());
            (page.accept, !page.file.is_empty())
        };
        assert_eq!((of(true), of(false)), ((true, true), (false, false)));
    }
}
