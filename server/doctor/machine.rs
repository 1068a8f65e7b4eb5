//! The host: data directory, disk, clock, open files.

use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::config::Config;

/// Below this much free space Muster warns; below the second, PostgreSQL is about to stop.
const LITTLE_SPACE: u64 = 5 << 30;
const NO_SPACE: u64 = 512 << 20;

/// Each open session is an open file, and `acs.max_connections` is 60,000.
const OPEN_FILES: u64 = 65_536;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let artifacts = config.artifact_dir();
    let mut findings = vec![writable("data directory", &config.data_dir), space(&config.data_dir)];
    if !artifacts.starts_with(&config.data_dir) {
        findings.push(writable("artifact directory", &artifacts));
    }
    findings.push(clock());
    findings.push(open_files(&std::fs::read_to_string("/proc/self/limits").unwrap_or_default()));
    findings
}

/// The directory itself, or the nearest one above it that exists and in which it would be made.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"))
}

fn writable(subject: &'static str, path: &Path) -> Finding {
    let place = existing(path);
    let usable = place.is_dir() && access(place, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
    let shown = path.display();
    match (usable, place == path) {
        (true, true) => Finding::ok(subject, format!("{shown} is writable")),
        (true, false) => Finding::ok(subject, format!("{shown} will be made")),
        (false, _) => Finding::error(
            subject,
            format!("{shown} cannot be used: {} is not a writable directory", place.display()),
            "Make the directory and give it to the user that Muster runs as, or set data_dir.",
        ),
    }
}

fn space(path: &Path) -> Finding {
    let subject = "disk space";
    let free = match statvfs(existing(path)) {
        Ok(disk) => disk.blocks_available().saturating_mul(disk.fragment_size()),
        Err(error) => return Finding::warning(subject, error.to_string(), "Look with df -h."),
    };
    let message = format!("{} MiB free for {}", free >> 20, path.display());
    let mend = "Free some space, or move data_dir to a larger disk.";
    if free < NO_SPACE {
        Finding::error(subject, message, mend)
    } else if free < LITTLE_SPACE {
        Finding::warning(subject, message, mend)
    } else {
        Finding::ok(subject, message)
    }
}

/// A clock before Muster itself was made is wrong. One that is ahead cannot be told from a right
/// one without asking somebody else.
fn clock() -> Finding {
    let made = std::env::current_exe()
        .and_then(std::fs::metadata)
        .and_then(|program| program.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH);
    match made.duration_since(SystemTime::now()) {
        Ok(behind) if behind > Duration::from_secs(86_400) => Finding::error(
            "clock",
            format!("more than {} days behind Muster's own program", behind.as_secs() / 86_400),
            "Set the clock and keep it with NTP: certificates and download addresses depend on it.",
        ),
        _ => Finding::ok("clock", "plausible"),
    }
}

/// From the text of `/proc/self/limits`, whose columns are soft and hard limit.
pub(super) fn open_files(limits: &str) -> Finding {
    let subject = "open files";
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    match soft {
        Some("unlimited") => Finding::ok(subject, "no limit"),
        Some(number) if number.parse().is_ok_and(|limit: u64| limit >= OPEN_FILES) => {
            Finding::ok(subject, format!("limit {number}"))
        }
        _ => Finding::warning(
            subject,
            format!("limit {}, enough for as many connections only", soft.unwrap_or("unknown")),
            "Raise it to 65536: `ulimit -n 65536`, or LimitNOFILE=65536 in the systemd unit.",
        ),
    }
}
