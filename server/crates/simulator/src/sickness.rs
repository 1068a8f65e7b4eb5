//! What is wrong with which device of a fleet: the `--sick` grammar and its even hand.
//!
//! Pure: whether device `i` of a seed is sick, and how, is the same in every run.

use std::str::FromStr;
use std::time::Duration;

use muster_cwmp::fault::FaultCode;
use rand::RngExt;

use crate::profile::device_rng;

/// Keeps the draw of an ailment apart from the draw of an identity.
const STREAM: u64 = 0x0051_C4E5_5000_0001;

/// How one device misbehaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Ailment {
    /// Not at all.
    None,
    /// Waits this long before every message.
    Slow(Duration),
    /// Answers requests of the ACS by this fault: all of them, or one method's.
    Fault {
        /// The CWMP fault code.
        code: FaultCode,
        /// The method's name, such as `SetParameterValues`.
        method: Option<String>,
    },
    /// Loses its connection at one message in four after the Inform.
    Drop,
    /// Boots again after every session.
    RebootLoop,
    /// Never comes back from a firmware download.
    Gone,
    /// Crashes: every boot after the first brings a new AutosupoutTime.
    Crash,
    /// Its clock is wrong by so many seconds.
    ClockSkew(i64),
    /// Refuses reads of more than some tens of parameters with fault 9004 (C2).
    SmallReads,
    /// Takes firmware without complaint, reboots, and still runs the old version.
    Stuck,
    /// Ends every download by a TransferComplete with this fault.
    Transfer(FaultCode),
    /// Crashes once, so long after it came back on a newer version; scaled.
    CrashAfter(Duration),
    /// Its way to the Internet stays down while it runs a newer version than at first.
    WanDown,
    /// Hears its Wi-Fi clients badly, and has fewer, while it runs a newer version than at first.
    Weak,
}

/// Which share of a fleet has which ailment; a device has at most one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sickness {
    shares: Vec<(Ailment, f64)>,
}

/// Why a `--sick` text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SicknessError {
    /// Not `ailment=share%`.
    #[error("`{0}` is not of the form ailment=5%")]
    Form(String),
    /// No such ailment, or its argument is missing or malformed.
    #[error(
        "`{0}` is none of slow:200ms, fault:9002, fault:9002:Reboot, drop, reboot-loop, gone, \
         crash, clock-skew:-3600s, small-reads, stuck, transfer:9018, crash-after:90s, wan-down, \
         weak"
    )]
    Ailment(String),
    /// The shares exceed the fleet.
    #[error("the shares add up to {0}%, more than 100%")]
    Sum(String),
}

impl Sickness {
    /// The ailment of device `index` of the fleet with this seed.
    pub fn of(&self, seed: u64, index: u32) -> Ailment {
        let mut draw = device_rng(seed ^ STREAM, index).random_range(0.0..100.0_f64);
        for (ailment, share) in &self.shares {
            if draw < *share {
                return ailment.clone();
            }
            draw -= share;
        }
        Ailment::None
    }
}

impl FromStr for Sickness {
    type Err = SicknessError;

    /// Reads `slow:200ms=5%,fault:9002=1%,drop=0.5%`; the empty text is a healthy fleet.
    fn from_str(text: &str) -> Result<Self, SicknessError> {
        let mut shares = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let form = || SicknessError::Form(item.to_owned());
            let (ailment, share) = item.split_once('=').ok_or_else(form)?;
            let share = share.trim().strip_suffix('%').ok_or_else(form)?;
            let share: f64 = share.parse().map_err(|_| form())?;
            if !(0.0..=100.0).contains(&share) {
                return Err(form());
            }
            let ailment = ailment.trim();
            let known = parse_ailment(ailment);
            shares.push((known.ok_or_else(|| SicknessError::Ailment(ailment.to_owned()))?, share));
        }
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        if sum > 100.0 {
            return Err(SicknessError::Sum(sum.to_string()));
        }
        Ok(Self { shares })
    }
}

fn parse_ailment(text: &str) -> Option<Ailment> {
    let (name, argument) = text.split_once(':').map_or((text, None), |(n, a)| (n, Some(a)));
    match (name, argument) {
        ("none", None) => Some(Ailment::None),
        ("slow", Some(wait)) => parse_wait(wait).map(Ailment::Slow),
        ("fault", Some(argument)) => {
            let (code, method) = argument.split_once(':').unwrap_or((argument, ""));
            let method = (!method.is_empty()).then(|| method.to_owned());
            Some(Ailment::Fault { code: FaultCode(code.parse().ok()?), method })
        }
        ("drop", None) => Some(Ailment::Drop),
        ("reboot-loop", None) => Some(Ailment::RebootLoop),
        ("gone", None) => Some(Ailment::Gone),
        ("crash", None) => Some(Ailment::Crash),
        ("clock-skew", Some(skew)) => skew.strip_suffix('s')?.parse().ok().map(Ailment::ClockSkew),
        ("small-reads", None) => Some(Ailment::SmallReads),
        ("stuck", None) => Some(Ailment::Stuck),
        ("transfer", Some(code)) => code.parse().ok().map(FaultCode).map(Ailment::Transfer),
        ("crash-after", Some(wait)) => parse_wait(wait).map(Ailment::CrashAfter),
        ("wan-down", None) => Some(Ailment::WanDown),
        ("weak", None) => Some(Ailment::Weak),
        _ => None,
    }
}

fn parse_wait(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_ailment_has_a_word() {
        let text = "slow:200ms=5%, slow:2s=1%,fault:9002=1%,fault:9004:Reboot=1%,drop=1%,\
                    reboot-loop=1%,gone=1%,crash=1%,clock-skew:-3600s=0.5%,small-reads=1%,\
                    stuck=1%,transfer:9018=1%,crash-after:90s=1%,wan-down=1%,weak=1%,none=1%";
        let sickness: Sickness = text.parse().unwrap();
        let ailments: Vec<Ailment> = sickness.shares.into_iter().map(|(a, _)| a).collect();
        let fault = |code, method: Option<&str>| Ailment::Fault {
            code: FaultCode(code),
            method: method.map(str::to_owned),
        };
        assert_eq!(
            ailments,
            [
                Ailment::Slow(Duration::from_millis(200)),
                Ailment::Slow(Duration::from_secs(2)),
                fault(9002, None),
                fault(9004, Some("Reboot")),
                Ailment::Drop,
                Ailment::RebootLoop,
                Ailment::Gone,
                Ailment::Crash,
                Ailment::ClockSkew(-3600),
                Ailment::SmallReads,
                Ailment::Stuck,
                Ailment::Transfer(FaultCode(9018)),
                Ailment::CrashAfter(Duration::from_secs(90)),
                Ailment::WanDown,
                Ailment::Weak,
                Ailment::None,
            ]
        );
    }

    #[test]
    fn malformed_texts_are_refused() {
        for form in ["drop", "drop=5", "drop=x%", "drop=-1%", "drop=101%"] {
            assert!(matches!(form.parse::<Sickness>(), Err(SicknessError::Form(_))), "{form}");
        }
        for ailment in [
            "plague=1%",
            "slow=1%",
            "slow:x=1%",
            "drop:1=1%",
            "fault:x=1%",
            "transfer=1%",
            "transfer:x=1%",
            "crash-after:90=1%",
            "weak:1=1%",
        ] {
            let parsed = ailment.parse::<Sickness>();
            assert!(matches!(parsed, Err(SicknessError::Ailment(_))), "{ailment}");
        }
        let parsed = "drop=60%,gone=60%".parse::<Sickness>();
        assert_eq!(parsed, Err(SicknessError::Sum("120".to_owned())));
    }

    #[test]
    fn shares_are_kept_and_repeatable() {
        let sickness: Sickness = "drop=25%,crash=5%".parse().unwrap();
        let count = |wanted: &Ailment| {
            (0..10_000).filter(|index| sickness.of(3, *index) == *wanted).count()
        };
        assert!((2_300..2_700).contains(&count(&Ailment::Drop)));
        assert!((400..600).contains(&count(&Ailment::Crash)));
        assert_eq!(sickness.of(3, 77), sickness.of(3, 77));
        assert_eq!(Sickness::default().of(3, 77), Ailment::None);
    }
}
