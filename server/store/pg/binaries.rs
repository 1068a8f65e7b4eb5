//! Finding the system's PostgreSQL. Must never start a server.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PgError;

/// The oldest major version that Muster's SQL and settings are written for.
pub const OLDEST_MAJOR: u32 = 15;

/// Where Debian keeps its versions, each in `<major>/bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// One installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The directory of `postgres` and `initdb`.
    pub bin: PathBuf,
    /// Its major version.
    pub major: u32,
}

/// The usable installations, newest first: only that in `bin` where it is given, else Debian's and
/// those on the `PATH`.
pub fn installations(bin: Option<&Path>) -> Vec<Installation> {
    let directories = match bin {
        Some(bin) => vec![bin.to_owned()],
        None => debian().into_iter().chain(on_path()).collect(),
    };
    let mut found: Vec<Installation> = directories
        .into_iter()
        .filter_map(inspect)
        .filter(|installation| installation.major >= OLDEST_MAJOR)
        .collect();
    // Stable, so that of the same version the packaged one is tried before one on the PATH.
    found.sort_by_key(|installation| Reverse(installation.major));
    found.dedup();
    found
}

/// The installation for a cluster of version `cluster`, or the newest for one that is yet to be made.
///
/// # Errors
/// [`PgError::Missing`] when there is none at all, [`PgError::Version`] when none fits the cluster.
pub fn choose(found: Vec<Installation>, cluster: Option<u32>) -> Result<Installation, PgError> {
    let newest = found.first().ok_or(PgError::Missing)?.major;
    let wanted = cluster.unwrap_or(newest);
    found
        .into_iter()
        .find(|installation| installation.major == wanted)
        .ok_or(PgError::Version { cluster: wanted, newest })
}

fn debian() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir(DEBIAN) else { return Vec::new() };
    versions.flatten().map(|version| version.path().join("bin")).collect()
}

/// The directories that `postgres` on the `PATH` really lives in: `initdb` stands beside the file
/// itself, not beside a link to it.
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|directory| directory.join("postgres").canonicalize().ok())
        .filter_map(|postgres| Some(postgres.parent()?.to_owned()))
        .collect()
}

fn inspect(bin: PathBuf) -> Option<Installation> {
    if !bin.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Installation { bin, major })
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_major(debian), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres: command not found"), None);
    }

    #[test]
    fn a_cluster_keeps_its_version_and_a_new_one_takes_the_newest() {
        let found = |majors: &[u32]| -> Vec<Installation> {
            majors.iter().map(|&major| Installation { bin: PathBuf::new(), major }).collect()
        };
        assert_eq!(choose(found(&[17, 15]), None).unwrap().major, 17);
        assert_eq!(choose(found(&[17, 15]), Some(15)).unwrap().major, 15);
        let error = choose(found(&[17]), Some(15)).unwrap_err().to_string();
        assert!(error.contains("postgresql-15"), "{error}");
        let error = choose(Vec::new(), Some(15)).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql"), "{error}");
    }
}
