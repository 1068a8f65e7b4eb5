//! The benchmark's generator: periodic inform sessions as real CPEs make them, and nothing else.
//!
//! Each session is a new TCP connection: Inform (with Digest: 401, Inform again), InformResponse,
//! empty POST, 204, close. The Inform is rendered once and only its serial number is patched, so
//! that the machine's time goes to the ACS. Latency is counted from the intended start: in open
//! loop a late session is not excused by the late ones before it (no coordinated omission).
//!
//! [`light`] is for what takes more than that: devices that take part in a rollout.

pub mod light;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use muster_cwmp::digest::{self, Challenge};
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::rpc::{Body, DeviceId, Envelope, EventStruct, Inform, Request};
use muster_cwmp::value::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::catalogue::Catalogue;
use crate::histogram::Histogram;
use crate::model::{FORCED, Model};
use crate::profile::PROFILES;

/// Stands for the serial number in the rendered Inform; twelve characters, as the real one.
const PLACEHOLDER: &str = "SERIALNUMBER";
/// A reply that is larger ends its session as an error.
const MAX_REPLY: usize = 1 << 20;
/// Between two sessions of one worker after an error, so that a dead ACS is not hammered.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// How sessions are offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Each connection begins its next session when the last one ends.
    Closed,
    /// Sessions begin at a fixed rate, as long as a connection is free.
    Open {
        /// Sessions per second.
        rate: f64,
    },
}

/// What load to make.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The ACS.
    pub acs_addr: SocketAddr,
    /// Request target.
    pub path: String,
    /// Distinct devices, taken in turn.
    pub devices: u32,
    /// Sessions at a time.
    pub connections: usize,
    /// What is measured.
    pub duration: Duration,
    /// What goes before and is not measured.
    pub warmup: Duration,
    /// Closed or open loop.
    pub mode: Mode,
    /// Digest user and password; `None` sends no credentials.
    pub digest: Option<(String, String)>,
    /// Parameters of one Inform; real ones carry 7 to 30.
    pub params_per_inform: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadReport {
    /// Sessions from connect to 204, begun within the measured time.
    pub sessions: u64,
    /// Sessions that broke or were refused.
    pub errors: u64,
    /// Sessions in which the ACS sent a request instead of 204; the generator hangs up on it.
    pub with_work: u64,
    /// `sessions` per second of the measured time.
    pub per_second: f64,
    /// Median latency.
    pub p50: Duration,
    /// 90th percentile.
    pub p90: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Longest.
    pub max: Duration,
    /// Bytes of one Inform.
    pub inform_bytes: usize,
}

/// Makes the load; returns after warm-up and duration.
///
/// # Errors
/// None of single sessions, which are counted; only that of a worker that cannot run.
pub async fn run_load(options: LoadOptions) -> Result<LoadReport, std::io::Error> {
    let template = Template::render(&options);
    let inform_bytes = template.body.len();
    let begin = Instant::now();
    let duration = options.duration;
    let plan = Arc::new(Plan {
        template,
        begin,
        measured: begin + options.warmup,
        end: begin + options.warmup + duration,
        tickets: AtomicU64::new(0),
        options,
    });
    let mut workers = JoinSet::new();
    for _ in 0..plan.options.connections {
        workers.spawn(Worker::new(Arc::clone(&plan)).run());
    }
    let mut all = Tally::new();
    while let Some(tally) = workers.join_next().await {
        all.add(&tally.map_err(std::io::Error::other)?);
    }
    let sessions = all.latency.total();
    Ok(LoadReport {
        sessions,
        errors: all.errors,
        with_work: all.with_work,
        per_second: sessions as f64 / duration.as_secs_f64(),
        p50: all.latency.quantile(0.5),
        p90: all.latency.quantile(0.9),
        p99: all.latency.quantile(0.99),
        max: all.latency.max(),
        inform_bytes,
    })
}

struct Plan {
    options: LoadOptions,
    template: Template,
    begin: Instant,
    measured: Instant,
    end: Instant,
    tickets: AtomicU64,
}

/// The rendered Inform and where its serial number stands.
struct Template {
    body: Vec<u8>,
    serials: Vec<usize>,
}

impl Template {
    fn render(options: &LoadOptions) -> Self {
        let inform = periodic(options.params_per_inform, PROFILES[1].versions[0]);
        let body = Body::Request(Request::Inform(Box::new(inform)));
        let text =
            encode(&Envelope::new("urn:dslforum-org:cwmp-1-0", None, body), Dialect::RouterOs);
        let serials = text.match_indices(PLACEHOLDER).map(|(at, _)| at).collect();
        Self { body: text.into_bytes(), serials }
    }

    fn patch(&self, body: &mut [u8], device: u64) {
        let serial = format!("{device:012X}");
        for at in &self.serials {
            body[*at..*at + PLACEHOLDER.len()].copy_from_slice(serial.as_bytes());
        }
    }
}

/// What a device of the load informs of periodically, with [`PLACEHOLDER`] for its serial number.
fn periodic(parameters: usize, version: &str) -> Inform {
    let profile = &PROFILES[1];
    let mut model = Model::new(Arc::new(Catalogue::new(profile)));
    model.preset("Device.DeviceInfo.SerialNumber", PLACEHOLDER);
    model.preset("Device.DeviceInfo.SoftwareVersion", version);
    let mut told = model.inform_parameters(&[]);
    let all = model.get(&["Device.".to_owned()]).expect("the root object is readable");
    told.extend(all.into_iter().filter(|p| !FORCED.contains(&p.name.as_str())));
    told.truncate(parameters);
    Inform {
        device_id: DeviceId {
            manufacturer: "MikroTik".to_owned(),
            oui: "E48D8C".to_owned(),
            product_class: profile.product_class.to_owned(),
            serial_number: PLACEHOLDER.to_owned(),
        },
        events: vec![EventStruct {
            event_code: "2 PERIODIC".to_owned(),
            command_key: String::new(),
        }],
        max_envelopes: 1,
        current_time: Timestamp(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, false)),
        retry_count: 0,
        parameters: told,
    }
}

/// The Informs that a load sends, for whoever must make their devices known beforehand.
pub struct Informs {
    template: Template,
    body: Vec<u8>,
}

impl Informs {
    /// Those of this load.
    pub fn new(options: &LoadOptions) -> Self {
        let template = Template::render(options);
        Self { body: template.body.clone(), template }
    }

    /// The body that this device posts.
    pub fn of(&mut self, device: u32) -> &[u8] {
        self.template.patch(&mut self.body, u64::from(device));
        &self.body
    }
}

/// Opens a session and leaves it open: connects, informs, reads the InformResponse. It lasts as long
/// as the stream.
///
/// # Errors
/// No connection, or anything but 200.
pub async fn hold_session(acs: SocketAddr, inform: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(acs).await?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {acs}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        inform.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(inform).await?;
    let reply = read_reply(&mut stream, &mut Vec::new()).await?;
    if reply.status == 200 {
        return Ok(stream);
    }
    Err(std::io::Error::other(format!("the ACS answered {}", reply.status)))
}

struct Tally {
    latency: Histogram,
    errors: u64,
    with_work: u64,
}

impl Tally {
    fn new() -> Self {
        Self { latency: Histogram::new(), errors: 0, with_work: 0 }
    }

    fn add(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.errors += other.errors;
        self.with_work += other.with_work;
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Done,
    Work,
    Error,
}

struct Worker {
    plan: Arc<Plan>,
    body: Vec<u8>,
    out: Vec<u8>,
    reply: Vec<u8>,
    tally: Tally,
}

impl Worker {
    fn new(plan: Arc<Plan>) -> Self {
        let body = plan.template.body.clone();
        Self { plan, body, out: Vec::new(), reply: Vec::with_capacity(4096), tally: Tally::new() }
    }

    async fn run(mut self) -> Tally {
        let plan = Arc::clone(&self.plan);
        loop {
            let ticket = plan.tickets.fetch_add(1, Relaxed);
            let start = match plan.options.mode {
                Mode::Closed => Instant::now(),
                Mode::Open { rate } => {
                    let start =
                        plan.begin + Duration::from_secs_f64(ticket as f64 / rate.max(1e-3));
                    if start < plan.end {
                        sleep_until(start).await;
                    }
                    start
                }
            };
            if start >= plan.end {
                return self.tally;
            }
            let device = ticket % u64::from(plan.options.devices.max(1));
            plan.template.patch(&mut self.body, device);
            let ending = self.session().await.unwrap_or(Ending::Error);
            if start >= plan.measured {
                match ending {
                    Ending::Done => self.tally.latency.record(start.elapsed()),
                    Ending::Work => self.tally.with_work += 1,
                    Ending::Error => self.tally.errors += 1,
                }
            }
            if ending == Ending::Error {
                sleep(AFTER_ERROR).await;
            }
        }
    }

    async fn session(&mut self) -> std::io::Result<Ending> {
        let plan = Arc::clone(&self.plan);
        let mut stream = TcpStream::connect(plan.options.acs_addr).await?;
        stream.set_nodelay(true)?;
        let mut login = None;
        let mut head = self.post(&mut stream, true, None, "").await?;
        if let (401, Some((user, password))) = (head.status, &plan.options.digest) {
            let Ok(challenge) = Challenge::parse(&head.challenges, false) else {
                return Ok(Ending::Error);
            };
            let path = plan.options.path.as_str();
            let cnonce = format!("{:016x}", rand::random::<u64>());
            let answer = move |count| {
                digest::answer(&challenge, user, password, "POST", path, &cnonce, count)
            };
            head = self.post(&mut stream, true, Some(answer(1)), &head.cookie).await?;
            login = Some(answer(2));
        }
        if head.status != 200 || head.length == 0 {
            return Ok(Ending::Error);
        }
        let last = self.post(&mut stream, false, login, &head.cookie).await?;
        Ok(match (last.status, last.length) {
            (204, _) | (200, 0) => Ending::Done,
            (200, _) => Ending::Work,
            _ => Ending::Error,
        })
    }

    async fn post(
        &mut self,
        stream: &mut TcpStream,
        inform: bool,
        authorization: Option<String>,
        cookie: &str,
    ) -> std::io::Result<Head> {
        let options = &self.plan.options;
        let body: &[u8] = if inform { &self.body } else { &[] };
        self.out.clear();
        let mut line = |parts: &[&str]| {
            for part in parts {
                self.out.extend_from_slice(part.as_bytes());
            }
            self.out.extend_from_slice(b"\r\n");
        };
        let (host, length) = (options.acs_addr.to_string(), body.len().to_string());
        line(&["POST ", options.path.as_str(), " HTTP/1.1"]);
        line(&["Host: ", host.as_str()]);
        line(&["User-Agent: MikroTik"]);
        line(&["Content-Length: ", length.as_str()]);
        if inform {
            line(&["Content-Type: text/xml"]);
        }
        if let Some(authorization) = &authorization {
            line(&["Authorization: ", authorization.as_str()]);
        }
        if !cookie.is_empty() {
            line(&["Cookie: ", cookie]);
        }
        line(&[]);
        self.out.extend_from_slice(body);
        stream.write_all(&self.out).await?;
        read_reply(stream, &mut self.reply).await
    }
}

/// What matters of a reply; its body has been read and dropped.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    status: u16,
    length: usize,
    /// `name=value; name=value`, ready to send back.
    cookie: String,
    challenges: Vec<String>,
}

async fn read_reply(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Head> {
    buffer.clear();
    let malformed = || std::io::Error::other("no HTTP reply with Content-Length");
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..end]).map_err(|_| malformed())?;
            let head = parse_head(text).ok_or_else(malformed)?;
            let mut missing = (end + 4 + head.length).saturating_sub(buffer.len());
            while missing > 0 {
                buffer.clear();
                let read = stream.read_buf(buffer).await?;
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                missing = missing.saturating_sub(read);
            }
            return Ok(head);
        }
        if buffer.len() > MAX_REPLY || stream.read_buf(buffer).await? == 0 {
            return Err(malformed());
        }
    }
}

/// `None` when it is no HTTP reply, is chunked, or is larger than [`MAX_REPLY`].
fn parse_head(text: &str) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let mut head = Head { status, ..Head::default() };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.parse().ok().filter(|n| *n <= MAX_REPLY)?,
            "transfer-encoding" => return None,
            "www-authenticate" => head.challenges.push(value.to_owned()),
            "set-cookie" => {
                if !head.cookie.is_empty() {
                    head.cookie.push_str("; ");
                }
                head.cookie.push_str(value.split(';').next().unwrap_or(value));
            }
            _ => {}
        }
    }
    Some(head)
}

#[cfg(test)]
mod tests;
