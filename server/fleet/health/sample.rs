//! The few numbers of a device by which its health is compared.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fleet::internet;
use crate::fleet::reading::Reading;
use crate::store::parameters::{Counters, Document};

const ROOTS: [&str; 2] = ["Device.", "InternetGatewayDevice."];
const LANS: &str = "InternetGatewayDevice.LANDevice.";

/// How a device was at one time, as far as it told. What it did not tell is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = HealthSample)]
pub struct Sample {
    /// When that was.
    pub at: DateTime<Utc>,
    /// What it ran.
    pub version: Option<String>,
    /// `X_MIKROTIK_AutosupoutTime`, as it says it: when it last wrote a crash file.
    pub crash: Option<String>,
    /// Seconds since it started.
    pub uptime: Option<i64>,
    /// Whether its way to the Internet was up.
    pub wan_up: Option<bool>,
    /// Percent of its processor.
    pub cpu: Option<i64>,
    /// Percent of its memory that nothing needed.
    pub memory_free_percent: Option<f64>,
    /// Links that its ports lost, as they count it.
    pub link_downs: Option<i64>,
    /// Radios that it has; 0 for one that has none.
    pub radios: Option<i64>,
    /// Wi-Fi clients that it has.
    pub clients: Option<i64>,
    /// How well it hears them, in dBm: the mean of all.
    pub signal: Option<f64>,
}

impl Sample {
    /// From what a device told of itself, and the version that it runs; `at` = when it told it.
    pub fn read(
        document: &Document,
        counters: Option<&Counters>,
        version: Option<&str>,
        at: DateTime<Utc>,
    ) -> Self {
        let reading = Reading::new(document, counters);
        let version = version.map(str::to_owned);
        if reading.is_empty() {
            return Self { at, version, ..Self::default() };
        }
        let text = |name: &str| {
            ROOTS.into_iter().find_map(|root| reading.text(&format!("{root}DeviceInfo.{name}")))
        };
        let number = |name: &str| text(name)?.parse::<i64>().ok().filter(|number| *number >= 0);
        let (clients, signal) = clients(reading);
        Self {
            at,
            version,
            crash: text("X_MIKROTIK_AutosupoutTime").map(str::to_owned),
            uptime: number("UpTime"),
            wan_up: internet::is_up(reading),
            cpu: number("ProcessStatus.CPUUsage"),
            memory_free_percent: share(number("MemoryStatus.Free"), number("MemoryStatus.Total")),
            link_downs: link_downs(reading),
            radios: Some(radios(reading)),
            clients: Some(clients),
            signal,
        }
    }
}

/// So many of a hundred, with one digit.
fn share(part: Option<i64>, whole: Option<i64>) -> Option<f64> {
    let (part, whole) = (part?, whole.filter(|whole| *whole > 0)?);
    // Kilobytes of a router's memory: far below what a float holds exactly.
    let share = part as f64 / whole as f64 * 100.0;
    Some((share * 10.0).round() / 10.0)
}

fn link_downs(reading: Reading<'_>) -> Option<i64> {
    let tables = ["Device.Ethernet.Interface.", "Device.Cellular.Interface."];
    let ports = tables.into_iter().flat_map(|table| reading.objects(table));
    let counts = ports.filter_map(|port| {
        reading.number::<u32>(&format!("{port}X_MIKROTIK_LinkDowns")).map(i64::from)
    });
    counts.reduce(|sum, count| sum + count)
}

fn radios(reading: Reading<'_>) -> i64 {
    let radios = reading.rows("Device.WiFi.Radio.").len() + access_points_098(reading).len();
    i64::try_from(radios).unwrap_or(i64::MAX)
}

/// TR-098 has a radio and its network in one object.
fn access_points_098(reading: Reading<'_>) -> Vec<String> {
    let lans = reading.objects(LANS).into_iter();
    lans.flat_map(|lan| reading.objects(&format!("{lan}WLANConfiguration."))).collect()
}

/// How many Wi-Fi clients there are, and how well they are heard.
fn clients(reading: Reading<'_>) -> (i64, Option<f64>) {
    let mut points = reading.objects("Device.WiFi.AccessPoint.");
    points.extend(access_points_098(reading));
    let (mut clients, mut heard, mut sum) = (0_i64, 0_i32, 0_i64);
    for client in points.iter().flat_map(|at| reading.objects(&format!("{at}AssociatedDevice."))) {
        if reading.flag(&format!("{client}Active")) == Some(false) {
            continue;
        }
        clients += 1;
        // Nothing that is heard is louder than this, and 0 stands for what is not known.
        let dbm = reading.number::<i32>(&format!("{client}SignalStrength"));
        if let Some(dbm) = dbm.filter(|dbm| (-200..0).contains(dbm)) {
            heard += 1;
            sum += i64::from(dbm);
        }
    }
    // A sum of small numbers: exact.
    let mean = (heard > 0).then(|| (sum as f64 / f64::from(heard) * 10.0).round() / 10.0);
    (clients, mean)
}
