//! The benchmark's own server: this binary on a data directory that goes with it, its devices made
//! known, and what it and its PostgreSQL cost.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use muster::config::IdentityMode;
use muster::fleet::credentials::REALM;
use muster::fleet::facts::inform_hash;
use muster::fleet::identity::device_id;
use muster::store::pg;
use muster_cwmp::decode::decode;
use muster_cwmp::digest::{Algorithm, ha1};
use muster_cwmp::rpc::{Body, Inform, Request};
use muster_cwmp::xml::Limits;
use muster_sim::load::{Informs, LoadOptions};
use sqlx::PgPool;
use uuid::Uuid;

/// Devices in one statement.
const CHUNK: u32 = 10_000;

/// A running server.
pub(super) struct Server {
    child: Child,
    data_dir: PathBuf,
    /// Its process.
    pub pid: u32,
    /// Its PostgreSQL's first process.
    pub postmaster: u32,
    /// Where devices inform.
    pub cwmp: SocketAddr,
    /// Where its dashboard is.
    pub web: SocketAddr,
    /// Its database.
    pub pool: PgPool,
}

impl Server {
    /// Starts it and waits until it serves.
    pub async fn start(auth: bool) -> anyhow::Result<Self> {
        let data_dir =
            std::env::temp_dir().join(format!("muster-bench-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&data_dir)?;
        let ports = free_ports()?;
        let child = this_binary(&data_dir)?
            .arg("serve")
            .env("MUSTER_ACS__LISTEN", ports[0].to_string())
            .env("MUSTER_WEB__LISTEN", ports[1].to_string())
            .env("MUSTER_METRICS__LISTEN", ports[2].to_string())
            .env("MUSTER_ACS__AUTH", if auth { "device" } else { "none" })
            .env("MUSTER_ZERO_TOUCH__UNKNOWN", "accept")
            .env("MUSTER_ACS__MAX_SESSIONS_PER_ADDRESS", "100000")
            .env("MUSTER_ACS__MAX_CONNECTIONS_PER_ADDRESS", "100000")
            .stdout(Stdio::null())
            .spawn()?;
        let (pid, health) = (child.id(), format!("http://{}/readyz", ports[1]));
        let client = reqwest::Client::new();
        for _ in 0..600 {
            if client.get(&health).send().await.is_ok_and(|r| r.status().is_success()) {
                let options = pg::running(&data_dir).context("the server's database")?;
                let pool = pg::connect(&[options], 4, pg::LOCK_TIMEOUT).await?;
                let postmaster = postmaster(&data_dir)?;
                let [cwmp, web, _] = ports;
                return Ok(Self { child, data_dir, pid, postmaster, cwmp, web, pool });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the server does not become ready")
    }

    /// A token of it, with which everything may be asked for.
    pub async fn token(&self) -> anyhow::Result<String> {
        let mut command = this_binary(&self.data_dir)?;
        command.args(["token", "create", "--name", "bench", "--scope", "admin"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        anyhow::ensure!(
            output.status.success(),
            "no token: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Makes the load's devices known, as if each had informed and been read before.
    pub async fn make_known(
        &self,
        load: &LoadOptions,
        stored_parameters: usize,
        password: Option<&str>,
    ) -> anyhow::Result<()> {
        for table in ["devices", "device_facts", "device_parameters", "device_credentials"] {
            let truncate = sqlx::AssertSqlSafe(format!("truncate {table}"));
            sqlx::query(truncate).execute(&self.pool).await?;
        }
        let mut informs = Informs::new(load);
        let auth = if password.is_some() { "device" } else { "none" };
        for first in (0..load.devices).step_by(CHUNK as usize) {
            let last = (first + CHUNK).min(load.devices);
            let rows: anyhow::Result<Vec<Known>> =
                (first..last).map(|i| Known::of(informs.of(i), auth)).collect();
            self.insert(&rows?, auth).await?;
        }
        if stored_parameters > 0 {
            self.insert_parameters(stored_parameters).await?;
        }
        if let Some(password) = password {
            self.insert_credentials(password).await?;
        }
        sqlx::query("vacuum analyze").execute(&self.pool).await?;
        Ok(())
    }

    async fn insert(&self, rows: &[Known], auth: &str) -> anyhow::Result<()> {
        let ids: Vec<Uuid> = rows.iter().map(|r| r.id).collect();
        let hashes: Vec<Vec<u8>> = rows.iter().map(|r| r.hash.clone()).collect();
        let serials: Vec<String> = rows.iter().map(|r| r.serial.clone()).collect();
        sqlx::query(
            "insert into devices (device_id, first_inform, last_inform, session_id, node,
                                  remote_addr, events, retry_count, inform_hash)
             select id, now(), now(), id, 'bench', '127.0.0.1', '2 PERIODIC', 0, hash
             from unnest($1::uuid[], $2::bytea[]) as i (id, hash)",
        )
        .bind(&ids)
        .bind(&hashes)
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "insert into device_facts (device_id, manufacturer, oui, product_class, serial, root,
                                       namespace, software_version, auth, updated_at)
             select id, 'MikroTik', 'E48D8C', 'hAP ac²', serial, 'Device.',
                    'urn:dslforum-org:cwmp-1-0', '7.16.1', $3, now()
             from unnest($1::uuid[], $2::text[]) as i (id, serial)",
        )
        .bind(&ids)
        .bind(&serials)
        .bind(auth)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn insert_parameters(&self, count: usize) -> anyhow::Result<()> {
        let count = i32::try_from(count)?;
        sqlx::query(
            "insert into device_parameters (device_id, doc, refreshed_at, changed_at)
             select device_id, (
                 select jsonb_object_agg('Device.Bench.' || i || '.Parameter',
                     jsonb_build_object('v', 'value ' || i, 't', 'string', 'w', true, 'at', 1767225600))
                 from generate_series(1, $1) as i), now(), now()
             from devices",
        )
        .bind(count)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn insert_credentials(&self, password: &str) -> anyhow::Result<()> {
        sqlx::query(
            "insert into device_credentials (device_id, username, ha1_md5, ha1_sha256, sealed,
                 confirmed, wake_username, wake_sealed, updated_at)
             select device_id, 'bench', $1, $2, '', true, 'bench', '', now() from devices",
        )
        .bind(ha1(Algorithm::Md5, "bench", REALM, password))
        .bind(ha1(Algorithm::Sha256, "bench", REALM, password))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Stops it in order and removes what it stored, as dropping it does; a row that fails must
    /// leave nothing running either.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.pool.close().await;
        tokio::task::spawn_blocking(move || drop(self)).await?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Ok(pid) = i32::try_from(self.pid) else { return };
        let pid = nix::unistd::Pid::from_raw(pid);
        if nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).is_ok() {
            let _ = self.child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

/// A device as the server would have stored it.
struct Known {
    id: Uuid,
    hash: Vec<u8>,
    serial: String,
}

impl Known {
    fn of(body: &[u8], auth: &str) -> anyhow::Result<Self> {
        let envelope = decode(body, None, &Limits::default())?;
        let namespace = envelope.namespace;
        let Body::Request(Request::Inform(inform)) = envelope.body else {
            anyhow::bail!("the load's message is no Inform")
        };
        let inform: Inform = *inform;
        let d = &inform.device_id;
        let identity =
            [d.manufacturer.as_str(), &d.oui, &d.product_class, &d.serial_number, &namespace, auth];
        Ok(Self {
            id: device_id(d, IdentityMode::OuiSerial),
            hash: inform_hash(&identity, &inform.parameters).to_vec(),
            serial: d.serial_number.clone(),
        })
    }
}

/// This binary on a data directory, without the settings that are meant for another server.
fn this_binary(data_dir: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command
        .env_remove("DATABASE_URL")
        .env("MUSTER_DATA_DIR", data_dir)
        .env("MUSTER_TELEMETRY__FILTER", "error")
        .current_dir(data_dir);
    Ok(command)
}

fn free_ports() -> anyhow::Result<[SocketAddr; 3]> {
    // Held together, so that they differ; released before the server takes them.
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut out = [SocketAddr::from(([127, 0, 0, 1], 0)); 3];
    for (slot, listener) in out.iter_mut().zip(held) {
        *slot = listener?.local_addr()?;
    }
    Ok(out)
}

fn postmaster(data_dir: &Path) -> anyhow::Result<u32> {
    let path = data_dir.join("postgres/postmaster.pid");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    text.lines().next().unwrap_or_default().trim().parse().context("postmaster.pid")
}

/// CPU time used, in clock ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu(u64);

impl Cpu {
    /// Of one process.
    pub fn of_process(pid: u32) -> anyhow::Result<Self> {
        Ok(Self(ticks(pid, false)?))
    }

    /// Of PostgreSQL: its first process, its living children and those it has waited for.
    pub fn of_postgres(postmaster: u32) -> anyhow::Result<Self> {
        let mut all = ticks(postmaster, true)?;
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = fields(&stat).get(1).and_then(|f| f.parse::<u32>().ok());
            if parent == Some(postmaster) {
                all += ticks(pid, false).unwrap_or(0);
            }
        }
        Ok(Self(all))
    }

    /// Seconds used since then.
    pub fn seconds_since(self, before: Self) -> f64 {
        // USER_HZ is 100 on every Linux that Rust's targets have.
        self.0.saturating_sub(before.0) as f64 / 100.0
    }
}

/// Fields of /proc/PID/stat after the name, which may hold anything: state, ppid, ...
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect())
}

fn ticks(pid: u32, with_children: bool) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = fields(&stat);
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
    let wanted = if with_children { 11..15 } else { 11..13 };
    Ok(wanted.filter_map(|i| fields.get(i)?.parse::<u64>().ok()).sum())
}

/// Resident memory of a process, in KiB.
pub(super) fn rss_kib(pid: u32) -> anyhow::Result<u64> {
    memory_kib(pid, "VmRSS:")
}

/// The most of it that a process has had, in KiB.
pub(super) fn peak_kib(pid: u32) -> anyhow::Result<u64> {
    memory_kib(pid, "VmHWM:")
}

fn memory_kib(pid: u32, field: &'static str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|l| l.strip_prefix(field)?.trim().strip_suffix(" kB")?.trim().parse().ok())
        .context(field)
}
