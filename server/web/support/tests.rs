use chrono::DateTime;
use serde_json::Value;

use super::actions::RebootPage;
use super::find::{FindPage, Row};
use super::now::PasswordCell;
use super::wifi::PasswordFragment;
use super::*;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::views::{View as Template, sample};

fn found(q: &str, rows: usize, errors: Complaints) -> (Template, Value) {
    let row = |_| Row {
        href: address(Uuid::nil(), ""),
        serial: "<x-evil>".to_owned(),
        online: true,
        last_inform: When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
        model: "<x-evil>".to_owned(),
        place: "eu.lv".to_owned(),
    };
    let rows = (0..rows).map(row).collect();
    let page = FindPage { shell: Shell::sample(), q: q.to_owned(), errors, rows };
    sample(Template::SupportFind, &page)
}

pub(in crate::web) fn samples() -> Vec<(Template, Value)> {
    let page = |now| sample(Template::Support, &SupportPage { shell: Shell::sample(), now });
    let fragment = NowFragment { now: Now::sample(true) };
    let password =
        |revealed| PasswordFragment { password: PasswordCell::sample("known", revealed) };
    let name = "<x-evil>".to_owned();
    let reboot = RebootPage { shell: Shell::sample(), id: Uuid::nil(), name };
    vec![
        found("", 0, Complaints::default()),
        found("", 2, Complaints::default()),
        found("<x-evil>", 0, Complaints::field("q", "<x-evil>")),
        found("<x-evil>", 2, Complaints::default()),
        page(Now::sample(false)),
        page(Now::sample(true)),
        page(Now::bare()),
        sample(Template::SupportNow, &fragment),
        sample(Template::SupportPassword, &password("<x-evil>")),
        sample(Template::SupportPassword, &password("")),
        sample(Template::SupportReboot, &reboot),
    ]
}
