//! What is wrong with the files of an installation, found before the disk of a board is formatted.

use std::io::Cursor;

use muster_routeros::arch::Arch;
use muster_routeros::npk::{self, Npk};
use muster_routeros::package::{CLIENT, MAIN, parse_file_name, plain_name};
use muster_routeros::version::RosVersion;

use super::File;
use super::packet::Announcement;

/// What the default configuration is called; the last file, where there is one. Without it a board
/// gets the vendor's, and with a single end of line in it none.
pub const SCRIPT: &str = "autorun.scr";

/// What the first package calls itself where it is not [`MAIN`].
const SYSTEM: &str = "system";
/// Most files of one installation; RouterOS has some ten packages.
const MAX_FILES: usize = 32;
/// Most bytes of a file's name.
const MAX_NAME: usize = 100;

/// Checks that a board which announces itself can be given these files: the system first, then further
/// packages of its version, all for the board's architecture and not older than the board takes, and the
/// script last. Gives what should be looked at and does not stand in the way, in words.
///
/// # Errors
/// Why the board must not be formatted for these files, in words.
pub fn check(files: &[File], announcement: &Announcement) -> Result<Vec<String>, String> {
    names(files)?;
    let arch = announcement.arch.parse::<Arch>().map_err(|_| {
        format!(
            "the board announces the architecture `{}`, which no package is made for",
            announcement.arch
        )
    })?;
    let mut packages = files.iter().filter(|file| file.name != SCRIPT);
    let first = packages.next().ok_or("there is no package: the first file must be the system")?;
    let system = read(first, arch)?;
    let mut warnings = is_system(first, &system)?;
    let mut client = false;
    for file in packages {
        let package = read(file, arch)?;
        let name = plain_name(&package.name);
        if name == MAIN || name == SYSTEM {
            return Err(format!(
                "{} is a second system: there must be one, the first file",
                file.name
            ));
        }
        if package.version != system.version {
            return Err(format!(
                "{} is of version {}, and the system of {}: all packages must be of one version",
                file.name, package.version, system.version
            ));
        }
        client |= name == CLIENT;
    }
    warnings.extend(is_new_enough(&system, announcement)?);
    if !client {
        warnings.push(format!(
            "`{CLIENT}` is not among the packages: the board will not come to the ACS by itself"
        ));
    }
    Ok(warnings)
}

fn names(files: &[File]) -> Result<(), String> {
    if files.len() > MAX_FILES {
        return Err(format!("there are {} files: no more than {MAX_FILES} are sent", files.len()));
    }
    for (at, file) in files.iter().enumerate() {
        let name = &file.name;
        let plain =
            name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'\\'));
        if name.is_empty() || name.len() > MAX_NAME || !plain {
            return Err(format!(
                "`{}` is no name for a file: letters, digits, `-`, `_`, `.` and `+`",
                name.escape_debug()
            ));
        }
        if files[..at].iter().any(|before| before.name == *name) {
            return Err(format!("{name} is there twice"));
        }
        if name == SCRIPT && at + 1 != files.len() {
            return Err(format!("{SCRIPT} must be the last file"));
        }
    }
    Ok(())
}

/// What a package says of itself, if it is whole and for the board.
fn read(file: &File, arch: Arch) -> Result<Npk, String> {
    let name = &file.name;
    let package = npk::read(Cursor::new(&file.content[..])).map_err(|e| format!("{name}: {e}"))?;
    let said = package.arch.or_else(|| parse_file_name(name)?.arch);
    match said {
        Some(said) if said == arch => Ok(package),
        Some(said) => Err(format!("{name} is for {said}, and the board is of {arch}")),
        // The names of its files have none, either.
        None if arch == Arch::X86 => Ok(package),
        None => {
            Err(format!("{name} does not say for which architecture it is; the board is {arch}"))
        }
    }
}

fn is_system(file: &File, package: &Npk) -> Result<Vec<String>, String> {
    match plain_name(&package.name) {
        SYSTEM => Ok(Vec::new()),
        MAIN => Ok(vec![format!(
            "{} calls itself `{}`, where older ones are called `{SYSTEM}`; it is taken for the system",
            file.name, package.name
        )]),
        other => Err(format!(
            "{} holds the package `{other}`: the first file must be the system",
            file.name
        )),
    }
}

fn is_new_enough(system: &Npk, announcement: &Announcement) -> Result<Option<String>, String> {
    let Ok(oldest) = announcement.min_version.parse::<RosVersion>() else {
        return Ok(Some(format!(
            "the board announces `{}` as the oldest version that it takes: that was not checked",
            announcement.min_version
        )));
    };
    if system.version < oldest {
        return Err(format!(
            "RouterOS {} is older than {oldest}, the oldest version that this board takes",
            system.version
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
