//! The devices that waves name, and the names that are of nobody.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Builder, Miss, PAGE, of_group, page};
use crate::ctx::App;
use crate::error::Error;
use crate::rollout::assign;
use crate::rollout::plan::Take;
use crate::store::devices;

impl Builder<'_> {
    /// The devices that waves name one by one, or by a group.
    pub(super) async fn named(
        &mut self,
        app: &App,
        now: DateTime<Utc>,
    ) -> Result<HashMap<usize, HashSet<Uuid>>, Error> {
        let plan = self.asked.plan;
        let mut named = HashMap::new();
        for (number, wave) in plan.waves.iter().enumerate() {
            let ids = match &wave.take {
                Take::Devices(names) => {
                    let listed = listed(app, names).await?;
                    self.missed(number, &listed);
                    listed.into_iter().flatten().collect()
                }
                Take::Group(id) => {
                    let expr = of_group(app, *id).await?;
                    let (mut ids, mut after) = (HashSet::new(), None);
                    loop {
                        self.keep(app).await?;
                        let found = page(app, &expr, after, now).await?;
                        after = found.last().copied();
                        let more = found.len() >= usize::try_from(PAGE).expect("a small number");
                        ids.extend(found);
                        if !more {
                            break;
                        }
                    }
                    ids
                }
                _ => continue,
            };
            named.insert(number, ids);
        }
        Ok(named)
    }

    /// Notes which of the names of a wave are of nobody here.
    fn missed(&mut self, number: usize, listed: &[Vec<Uuid>]) {
        let wanted: HashSet<Uuid> = listed.iter().flatten().copied().collect();
        let ids = self.survey.entries.iter().map(|entry| entry.device_id);
        let found: HashSet<Uuid> = ids.filter(|id| wanted.contains(id)).collect();
        let missing = listed.iter().filter(|ids| !ids.iter().any(|id| found.contains(id))).count();
        if missing > 0 {
            let wave = assign::names(&self.asked.plan.waves).swap_remove(number);
            self.survey.misses.push(Miss { wave, missing, of: listed.len() });
        }
    }
}

/// The devices of each name: a serial number may be of several, or of none.
async fn listed(app: &App, names: &[String]) -> Result<Vec<Vec<Uuid>>, Error> {
    let mut listed = Vec::with_capacity(names.len());
    for name in names {
        listed.push(match name.strip_prefix("serial:") {
            Some(serial) => devices::by_serial(&app.pool, serial).await?,
            None => name.parse::<Uuid>().into_iter().collect(),
        });
    }
    Ok(listed)
}
