//! The plan's part of the builder, to and fro.

use std::str::FromStr;

use super::rows::{self, DaysRow, WaveRow, cell, percent};
use super::{BuilderForm, Names};
use crate::error::Error;
use crate::rollout::plan::{
    Blackout, Checks, Deadlines, ErrorCondition, OnError, Order, Pace, Plan, Success, Wave,
};

impl BuilderForm {
    pub(super) fn set_plan(&mut self, plan: &Plan, groups: &Names) {
        for wave in &plan.waves {
            let row = WaveRow::of(wave, groups);
            self.wave_name.push(row.name);
            self.wave_take.push(row.take);
            self.wave_what.push(row.what);
            self.wave_soak.push(row.soak);
            self.wave_approval.push(row.approval);
        }
        for row in plan.blackout.iter().map(DaysRow::of) {
            self.blackout_from.push(row.from);
            self.blackout_to.push(row.to);
        }
        self.order = order_word(plan.order).to_owned();
        self.success_percent = plan.success.percent.to_string();
        self.success_minimum = plan.success.minimum.to_string();
        self.error_percent = plan.error.percent.map(|n| n.to_string()).unwrap_or_default();
        self.error_minimum = plan.error.minimum.to_string();
        self.error_count = text(plan.error.count);
        self.error_then = then_word(plan.error.then).to_owned();
        self.soak_minutes = plan.soak_minutes.to_string();
        self.four_eyes = plan.four_eyes;
        self.heed_windows = plan.heed_windows;
        self.backup = plan.backup;
        self.retries = plan.retries.to_string();
        self.set_pace(&plan.pace);
        self.set_checks(&plan.checks);
        self.set_deadlines(&plan.deadlines);
    }

    fn set_pace(&mut self, pace: &Pace) {
        self.pace_concurrent = pace.concurrent.to_string();
        self.pace_per_minute = text(pace.per_minute);
        self.pace_per_day = text(pace.per_day);
        self.pace_per_site = text(pace.per_site);
        self.pace_per_uplink = text(pace.per_uplink);
        self.pace_megabits = text(pace.megabits);
    }

    fn set_checks(&mut self, checks: &Checks) {
        self.checks_missed_informs = text(checks.missed_informs);
        self.checks_crash = checks.crash;
        self.checks_uptime = checks.uptime;
        self.checks_wan = checks.wan;
        self.checks_radios = checks.radios;
        self.checks_cpu_points = text(checks.cpu_points);
        self.checks_memory_percent = text(checks.memory_percent);
        self.checks_link_downs = text(checks.link_downs);
        self.checks_signal_db = text(checks.signal_db);
        self.checks_clients_percent = text(checks.clients_percent);
    }

    fn set_deadlines(&mut self, deadlines: &Deadlines) {
        self.deadlines_offer_hours = deadlines.offer_hours.to_string();
        self.deadlines_back_minutes = deadlines.back_minutes.to_string();
        self.deadlines_verify_minutes = deadlines.verify_minutes.to_string();
        self.deadlines_baseline_minutes = deadlines.baseline_minutes.to_string();
    }

    pub(super) fn plan(&self, groups: &Names) -> Result<Plan, Error> {
        let waves: Vec<Wave> = self
            .filled_waves()
            .iter()
            .enumerate()
            .map(|(i, row)| row.wave(i, groups))
            .collect::<Result<_, _>>()?;
        let blackout: Vec<Blackout> =
            self.filled_days().iter().map(DaysRow::days).collect::<Result<_, _>>()?;
        Ok(Plan {
            waves,
            blackout,
            order: order(&self.order)?,
            success: Success {
                percent: share(&self.success_percent, "/plan/success/percent")?,
                minimum: number(&self.success_minimum, "/plan/success/minimum")?,
            },
            error: self.error()?,
            soak_minutes: number(&self.soak_minutes, "/plan/soak_minutes")?,
            four_eyes: self.four_eyes,
            pace: self.pace()?,
            heed_windows: self.heed_windows,
            backup: self.backup,
            checks: self.checks()?,
            deadlines: self.deadlines()?,
            retries: number(&self.retries, "/plan/retries")?,
        })
    }

    fn error(&self) -> Result<ErrorCondition, Error> {
        Ok(ErrorCondition {
            percent: match self.error_percent.trim() {
                "" => None,
                text => Some(share(text, "/plan/error/percent")?),
            },
            minimum: number(&self.error_minimum, "/plan/error/minimum")?,
            count: limit(&self.error_count, "/plan/error/count")?,
            then: then(&self.error_then)?,
        })
    }

    fn pace(&self) -> Result<Pace, Error> {
        Ok(Pace {
            per_minute: limit(&self.pace_per_minute, "/plan/pace/per_minute")?,
            per_day: limit(&self.pace_per_day, "/plan/pace/per_day")?,
            concurrent: number(&self.pace_concurrent, "/plan/pace/concurrent")?,
            per_site: limit(&self.pace_per_site, "/plan/pace/per_site")?,
            per_uplink: limit(&self.pace_per_uplink, "/plan/pace/per_uplink")?,
            megabits: limit(&self.pace_megabits, "/plan/pace/megabits")?,
        })
    }

    fn checks(&self) -> Result<Checks, Error> {
        let at = |name: &str| format!("/plan/checks/{name}");
        Ok(Checks {
            missed_informs: limit(&self.checks_missed_informs, &at("missed_informs"))?,
            crash: self.checks_crash,
            uptime: self.checks_uptime,
            wan: self.checks_wan,
            radios: self.checks_radios,
            cpu_points: limit(&self.checks_cpu_points, &at("cpu_points"))?,
            memory_percent: limit(&self.checks_memory_percent, &at("memory_percent"))?,
            link_downs: limit(&self.checks_link_downs, &at("link_downs"))?,
            signal_db: limit(&self.checks_signal_db, &at("signal_db"))?,
            clients_percent: limit(&self.checks_clients_percent, &at("clients_percent"))?,
        })
    }

    fn deadlines(&self) -> Result<Deadlines, Error> {
        let at = |name: &str| format!("/plan/deadlines/{name}");
        Ok(Deadlines {
            offer_hours: number(&self.deadlines_offer_hours, &at("offer_hours"))?,
            back_minutes: number(&self.deadlines_back_minutes, &at("back_minutes"))?,
            verify_minutes: number(&self.deadlines_verify_minutes, &at("verify_minutes"))?,
            baseline_minutes: number(&self.deadlines_baseline_minutes, &at("baseline_minutes"))?,
        })
    }

    fn filled_waves(&self) -> Vec<WaveRow> {
        let row = |i: usize| WaveRow {
            name: cell(&self.wave_name, i),
            take: cell(&self.wave_take, i),
            what: cell(&self.wave_what, i),
            soak: cell(&self.wave_soak, i),
            approval: cell(&self.wave_approval, i),
        };
        (0..self.wave_take.len()).map(row).filter(|row| !row.is_blank()).collect()
    }

    fn filled_days(&self) -> Vec<DaysRow> {
        let row = |i: usize| DaysRow {
            from: cell(&self.blackout_from, i),
            to: cell(&self.blackout_to, i),
        };
        (0..self.blackout_from.len()).map(row).filter(|row| !row.is_blank()).collect()
    }

    /// The waves that were sent, and rows for more.
    pub(in crate::web::rollouts) fn waves(&self) -> Vec<WaveRow> {
        rows::with_blank(self.filled_waves())
    }

    /// The same of days without changes.
    pub(in crate::web::rollouts) fn blackout(&self) -> Vec<DaysRow> {
        rows::with_blank(self.filled_days())
    }
}

fn text(limit: Option<u32>) -> String {
    limit.map(|limit| limit.to_string()).unwrap_or_default()
}

fn number<T: FromStr>(text: &str, pointer: &str) -> Result<T, Error> {
    let wrong = |_| Error::invalid(pointer, format!("`{}` is no whole number.", text.trim()));
    text.trim().parse().map_err(wrong)
}

/// Empty = without that limit.
fn limit(text: &str, pointer: &str) -> Result<Option<u32>, Error> {
    if text.trim().is_empty() { Ok(None) } else { number(text, pointer).map(Some) }
}

fn share(text: &str, pointer: &str) -> Result<f64, Error> {
    let wrong = || Error::invalid(pointer, format!("`{}` is no percentage.", text.trim()));
    percent(text.trim()).ok_or_else(wrong)
}

fn order_word(order: Order) -> &'static str {
    match order {
        Order::Spread => "spread",
        Order::Site => "site",
        Order::Topology => "topology",
    }
}

fn order(word: &str) -> Result<Order, Error> {
    let known = [Order::Spread, Order::Site, Order::Topology];
    let found = known.into_iter().find(|order| order_word(*order) == word);
    found.ok_or_else(|| Error::invalid("/plan/order", "Choose an order."))
}

fn then_word(then: OnError) -> &'static str {
    match then {
        OnError::Pause => "pause",
        OnError::Abort => "abort",
        OnError::RollBack => "roll_back",
    }
}

fn then(word: &str) -> Result<OnError, Error> {
    let known = [OnError::Pause, OnError::Abort, OnError::RollBack];
    let found = known.into_iter().find(|then| then_word(*then) == word);
    found.ok_or_else(|| Error::invalid("/plan/error/then", "Choose what happens then."))
}
