//! What a board answers over REST, as what an inspection learns. Pure.
//!
//! All values are text there. A board is not trusted to be well-meaning: all texts and counts have a
//! limit. A list of packages that is not whole is none, as with the script.

use muster_routeros::allowed::ANY;
use muster_routeros::inspect::{Inspection, Installed};
use serde_json::Value;

/// Packages of a board, which has some tens.
const MAX_PACKAGES: usize = 200;
/// Bytes of one value.
const MAX_TEXT: usize = 256;

/// From the answers of the four menus; `None` = the list of packages cannot be right.
pub(super) fn inspection(
    packages: &Value,
    resource: &Value,
    board: Option<&Value>,
    mode: Option<&Value>,
) -> Option<Inspection> {
    let of_board = |name| text(board?, name);
    let of_mode = |name| text(mode?, name);
    let any = mode.is_some_and(|mode| yes(mode, "install-any-version"));
    Some(Inspection {
        packages: installed(packages)?,
        board: of_board("model").or_else(|| text(resource, "board-name")),
        arch: text(resource, "architecture-name"),
        booter_current: of_board("current-firmware"),
        booter_upgrade: of_board("upgrade-firmware"),
        device_mode: of_mode("mode"),
        allowed_versions: match any {
            true => Some(ANY.to_owned()),
            false => of_mode("allowed-versions"),
        },
    })
}

/// The serial number of a board; a CHR has none.
pub(super) fn serial(board: &Value) -> Option<String> {
    text(board, "serial-number")
}

fn installed(packages: &Value) -> Option<Vec<Installed>> {
    let mut installed: Vec<Installed> = Vec::new();
    for row in packages.as_array()? {
        // From 7.18 on, packages that could be fetched are listed too: these have no version.
        let version = row.get("version").and_then(Value::as_str).unwrap_or_default().trim();
        if version.is_empty() || yes(row, "available") {
            continue;
        }
        let (name, version) = (text(row, "name")?, text(row, "version")?);
        let known = installed.iter().any(|package| package.name == name);
        if known || installed.len() == MAX_PACKAGES {
            return None;
        }
        installed.push(Installed { name, version, enabled: !yes(row, "disabled") });
    }
    // Without a main package nothing runs.
    (!installed.is_empty()).then_some(installed)
}

fn text(answer: &Value, name: &str) -> Option<String> {
    let text = answer.get(name)?.as_str()?.trim();
    let fine = !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    fine.then(|| text.to_owned())
}

fn yes(answer: &Value, name: &str) -> bool {
    matches!(answer.get(name).and_then(Value::as_str), Some("true" | "yes"))
}
