//! The private cluster on disk: its directories and their owner, `initdb`, the lock that keeps a
//! second Muster out, and the end of a PostgreSQL that a killed Muster left behind.
//!
//! Blocking: for a thread that may block. Must never touch a cluster without holding the lock.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, geteuid};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::PgError;
use super::binaries::{Installation, choose, installations};

/// The owner of everything in the database.
const ROLE: &str = "muster";

/// The longest directory whose socket's path, `/.s.PGSQL.5432` included, fits `sockaddr_un` with
/// its final zero (107 bytes and 1).
const MAX_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432".len();

/// A log beyond this many bytes is set aside at the next start.
const MAX_LOG: u64 = 16 << 20;

/// What Muster needs of a server that is its alone. Everything is on the command line, so that a
/// newer Muster changes it for an old cluster too.
const SETTINGS: [&str; 20] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "cluster_name=muster",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_destination=stderr",
    // What is acknowledged to a device must survive a power cut.
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "shared_buffers=256MB",
    // Few, large checkpoints and small page images: informs rewrite the same pages over and over.
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "wal_compression=lz4",
    "default_toast_compression=lz4",
    // Short statements: compiling one costs more than running it.
    "jit=off",
    "random_page_cost=1.1",
    // Device rows are updated all the time: vacuum early and briskly.
    "autovacuum_vacuum_scale_factor=0.05",
    "autovacuum_vacuum_cost_limit=2000",
];

/// A cluster that is ready to be started, and locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Cluster {
    data: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    installation: Installation,
    run_as: Option<RunAs>,
    _lock: File,
}

/// The unprivileged user of a server that root starts.
#[derive(Debug, Clone)]
struct RunAs {
    name: String,
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes the cluster under `data_dir` where there is none, and readies it for a start. Blocks,
    /// for seconds when it is made, and until a left-behind server has ended.
    pub(super) fn prepare(data_dir: &Path, bin: Option<&Path>) -> Result<Self, PgError> {
        fs::create_dir_all(data_dir).map_err(PgError::io("create", data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(PgError::io("find", data_dir))?;
        let lock = lock(&data_dir)?;
        let data = data_dir.join("postgres");
        let run_as = run_as(&data)?;
        if let Some(user) = &run_as {
            let_enter(&data_dir, user)?;
        }
        stop_orphan(&data)?;
        let installation = choose(installations(bin), cluster_major(&data_dir))?;
        let sockets = socket_dir(&data_dir);
        let log = data_dir.join("postgres.log");
        let cluster = Self { data, sockets, log, installation, run_as, _lock: lock };
        if !cluster.data.exists() {
            cluster.initdb(&data_dir.join("postgres.new"))?;
        }
        cluster.private_dir(&cluster.sockets)?;
        Ok(cluster)
    }

    /// How to reach `database` over the socket, whatever server `PGHOST` and its like speak of.
    pub(super) fn connect_options(&self, database: &str) -> PgConnectOptions {
        options(&self.sockets, database)
    }

    /// The command that becomes the server, in a process group of its own: Ctrl-C at the terminal
    /// reaches Muster alone, which still needs its database to finish.
    pub(super) fn server(&self) -> Result<Command, PgError> {
        let log = self.open_log()?;
        let errors = log.try_clone().map_err(PgError::io("open", &self.log))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(&self.data).stdout(log).stderr(errors).process_group(0);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // Quoted, for the setting is a list of directories separated by commas.
        let quoted = self.sockets.display().to_string().replace('"', "\"\"");
        command.arg("-c").arg(format!("unix_socket_directories=\"{quoted}\""));
        Ok(command)
    }

    /// Whether the server with this process id takes connections, by the word it leaves in its pid
    /// file (as `pg_ctl` reads it).
    pub(super) fn is_ready(&self, pid: u32) -> bool {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        let ours = lines.next().is_some_and(|line| line.trim() == pid.to_string());
        ours && lines.nth(6).is_some_and(|status| status.trim() == "ready")
    }

    /// The directory of the server's socket.
    pub(super) fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// Why the server did not start, in its own words.
    pub(super) fn start_error(&self) -> PgError {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(10).collect();
        let tail = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        PgError::Start { log: self.log.clone(), tail }
    }

    /// A program of the installation, as the unprivileged user, in a clean environment and a
    /// directory that this user can be in. Dropping the uid drops root's groups as well (see
    /// `CommandExt::uid`).
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.installation.bin.join(program));
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.current_dir("/").stdin(Stdio::null());
        if let Some(user) = &self.run_as {
            command.gid(user.gid).uid(user.uid);
        }
        command
    }

    /// Makes the cluster aside and renames it, so that an interrupted `initdb` leaves nothing that
    /// looks like one. Local connections need no password: only the directory's owner and root
    /// reach the socket.
    fn initdb(&self, aside: &Path) -> Result<(), PgError> {
        if aside.exists() {
            fs::remove_dir_all(aside).map_err(PgError::io("remove", aside))?;
        }
        self.private_dir(aside)?;
        tracing::info!(path = %self.data.display(), "making the database cluster");
        let mut command = self.command("initdb");
        command.arg("-D").arg(aside).arg(format!("--username={ROLE}"));
        command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"]);
        // Byte order sorts fastest and never changes with the system's locales.
        command.args(["--locale=C", "--lc-ctype=C.UTF-8"]);
        let output = command.output().map_err(PgError::io("run initdb for", aside))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(PgError::Initdb(words));
        }
        fs::rename(aside, &self.data).map_err(PgError::io("rename", aside))
    }

    /// Sees to it that `directory` exists and that only the server's user may enter it. One that
    /// somebody else made (in `/tmp` anybody can) is refused.
    fn private_dir(&self, directory: &Path) -> Result<(), PgError> {
        if let Err(source) = DirBuilder::new().mode(0o700).create(directory)
            && source.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(PgError::io("create", directory)(source));
        }
        let found = fs::symlink_metadata(directory).map_err(PgError::io("find", directory))?;
        let own = geteuid().as_raw();
        let (uid, gid) = match &self.run_as {
            Some(user) => (user.uid, Some(user.gid)),
            None => (own, None),
        };
        if !found.is_dir() || (found.uid() != own && found.uid() != uid) {
            return Err(PgError::ForeignOwner {
                directory: directory.to_owned(),
                owner: found.uid(),
            });
        }
        if found.uid() != uid {
            chown(directory, Some(uid), gid).map_err(PgError::io("give away", directory))?;
        }
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
            .map_err(PgError::io("protect", directory))
    }

    fn open_log(&self) -> Result<File, PgError> {
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > MAX_LOG) {
            let aside = self.log.with_extension("log.1");
            fs::rename(&self.log, aside).map_err(PgError::io("rename", &self.log))?;
        }
        let mut options = File::options();
        options.create(true).append(true).mode(0o600);
        options.open(&self.log).map_err(PgError::io("open", &self.log))
    }
}

/// The major version that made the cluster under `data_dir`; none where there is no cluster yet.
pub fn cluster_major(data_dir: &Path) -> Option<u32> {
    let version = fs::read_to_string(data_dir.join("postgres/PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

/// Whether a running Muster holds `data_dir`.
pub fn is_locked(data_dir: &Path) -> bool {
    File::open(lock_path(data_dir))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// How to reach the server of the Muster that holds `data_dir` right now; none where none does.
pub fn running(data_dir: &Path) -> Option<PgConnectOptions> {
    let data_dir = data_dir.canonicalize().ok()?;
    is_locked(&data_dir).then(|| options(&socket_dir(&data_dir), super::supervisor::DATABASE))
}

fn options(sockets: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(5432)
        .username(ROLE)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

fn lock_path(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres.lock")
}

/// Held by the process, not by the file's existence: `kill -9` leaves nothing to clean up.
fn lock(data_dir: &Path) -> Result<File, PgError> {
    let path = lock_path(data_dir);
    let mut options = File::options();
    options.create(true).append(true).mode(0o600);
    let file = options.open(&path).map_err(PgError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PgError::InUse { data_dir: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(PgError::io("lock", &path)(source)),
    }
}

/// Whom to run the server as. Root runs it as the cluster's owner, or as a user without rights for
/// a new one; anybody else as themselves, if the cluster is theirs.
fn run_as(data: &Path) -> Result<Option<RunAs>, PgError> {
    let owner = fs::metadata(data).ok().map(|found| (found.uid(), found.gid()));
    let own = geteuid();
    if !own.is_root() {
        return match owner {
            Some((uid, _)) if uid != own.as_raw() => {
                Err(PgError::ForeignOwner { directory: data.to_owned(), owner: uid })
            }
            _ => Ok(None),
        };
    }
    if let Some((uid, gid)) = owner.filter(|(uid, _)| *uid != 0) {
        let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = known.map_or_else(|| uid.to_string(), |user| user.name);
        return Ok(Some(RunAs { name, uid, gid }));
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .ok_or(PgError::NoUser)?;
    Ok(Some(RunAs { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

/// Lets `user` pass through `data_dir`, which is Muster's to change; the directories above are not.
fn let_enter(data_dir: &Path, user: &RunAs) -> Result<(), PgError> {
    for directory in data_dir.ancestors() {
        let found = fs::metadata(directory).map_err(PgError::io("find", directory))?;
        let bit = if found.uid() == user.uid {
            0o100
        } else if found.gid() == user.gid {
            0o010
        } else {
            0o001
        };
        if found.mode() & bit != 0 {
            continue;
        }
        if directory != data_dir {
            let (directory, user) = (directory.to_owned(), user.name.clone());
            return Err(PgError::NotTraversable { directory, user });
        }
        let wider = fs::Permissions::from_mode((found.mode() & 0o7777) | bit);
        fs::set_permissions(directory, wider).map_err(PgError::io("open up", directory))?;
        tracing::info!(path = %directory.display(), user = user.name, "let the user pass through");
    }
    Ok(())
}

/// Beside the cluster where the path is short enough, else a directory named after it.
fn socket_dir(data_dir: &Path) -> PathBuf {
    let beside = data_dir.join("postgres-socket");
    if beside.as_os_str().len() <= MAX_SOCKET_DIR {
        return beside;
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let base = if geteuid().is_root() { "/run" } else { "/tmp" };
    Path::new(base).join(format!("muster-{}", hex::encode(&digest[..8])))
}

/// Ends a server that still runs on `data`: this process holds the lock, so whoever started it is
/// gone. A pid file that names any other process is stale, and PostgreSQL would stumble over it
/// when that process is its own user's.
fn stop_orphan(data: &Path) -> Result<(), PgError> {
    let path = data.join("postmaster.pid");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(PgError::io("read", &path)(source)),
    };
    let pid = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok());
    let Some(pid) = pid.filter(|pid| *pid > 1 && runs_in(*pid, data)) else {
        return fs::remove_file(&path).map_err(PgError::io("remove", &path));
    };
    tracing::warn!(process.pid = pid, "ending the PostgreSQL that an earlier Muster left behind");
    for (signal, patience) in [(Signal::SIGINT, 60), (Signal::SIGQUIT, 10)] {
        // It may end between the look and the signal; the loop below notices.
        let _ = kill(Pid::from_raw(pid), signal);
        let deadline = Instant::now() + Duration::from_secs(patience);
        while Instant::now() < deadline {
            if !runs_in(pid, data) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Err(PgError::Orphan { pid })
}

/// Whether process `pid` is a server on `data`: a postmaster works in its data directory.
fn runs_in(pid: i32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn one_muster_at_a_time_holds_a_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_locked(dir.path()));
        let held = lock(dir.path()).unwrap();
        assert!(is_locked(dir.path()));
        assert!(matches!(lock(dir.path()), Err(PgError::InUse { .. })));
        drop(held);
        assert!(!is_locked(dir.path()));
        assert!(lock(dir.path()).is_ok());
    }

    #[test]
    fn a_stale_pid_file_goes_although_its_process_lives() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("postmaster.pid");
        fs::write(&pid_file, format!("{}\n/elsewhere\n", std::process::id())).unwrap();
        stop_orphan(dir.path()).unwrap();
        assert!(!pid_file.exists());
    }

    #[test]
    fn a_socket_path_always_fits() {
        let beside = socket_dir(Path::new("/srv/muster"));
        assert_eq!(beside, Path::new("/srv/muster/postgres-socket"));
        let deep = PathBuf::from(format!("/srv/{}", "x".repeat(90)));
        assert!(socket_dir(&deep).as_os_str().len() <= MAX_SOCKET_DIR);
        assert_ne!(socket_dir(&deep), socket_dir(&deep.join("y")));
    }
}
