//! The scripts of a rollout of a template, made before the transaction that orders them: a template is
//! rendered in another process, and who holds a transaction waits for nobody.
//!
//! Owns that each device gets its own, by the values that are wanted of it at that time with those of the
//! rollout over them; and whose fault it is where it gets none.

use std::collections::HashMap;

use futures_util::StreamExt;
use uuid::Uuid;

use super::Work;
use crate::ctx::App;
use crate::desired::reconcile::{self, Subject};
use crate::desired::script;
use crate::desired::world::{self, World};
use crate::error::Error;
use crate::fleet::variables::Variables;
use crate::jobs::queue;
use crate::jobs::spec::JobSpec;
use crate::rollout::change::Change;
use crate::rollout::device::{self, Device, Next, Step};
use crate::rollout::fault::Class;
use crate::store::rollouts::waves;
use crate::store::templates::{self, Version};

/// Templates that are rendered at a time.
const AT_ONCE: usize = 8;

/// What scripts are made of.
pub(crate) struct Source {
    /// The version of the template.
    pub template: Version,
    /// The values of the rollout, in clear.
    pub variables: Variables,
}

impl Source {
    /// Of a rollout; `None` = it is of something else than a template.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the template is gone, [`Error::Internal`] for values that cannot be
    /// read, [`Error::Database`].
    pub(crate) async fn of(app: &App, work: &Work) -> Result<Option<Self>, Error> {
        let Change::Template { template, version, template_id, variables, .. } =
            work.opened(&app.keys)?
        else {
            return Ok(None);
        };
        let found = match template_id {
            Some(id) => templates::version(&app.pool, id, version).await?,
            None => None,
        };
        let gone =
            || Error::invalid("/change/template", format!("the template {template} is gone"));
        Ok(Some(Self { template: found.ok_or_else(gone)?, variables }))
    }

    /// The values for a device: those of the rollout go over those that are wanted of it.
    pub(crate) fn given(&self, subject: &Subject) -> Variables {
        let mut given = subject.effective.values();
        given.over(&self.variables);
        given
    }
}

/// What was made for one device.
enum Made {
    /// The job that brings its script.
    Ready(JobSpec),
    /// Nothing: whose fault that is, and why.
    Cannot(Class, String),
}

/// Scripts, by device.
#[derive(Default)]
pub(super) struct Scripts(HashMap<Uuid, Made>);

impl Scripts {
    /// What becomes of a device of which this was decided: that, unless it is to be given a script that
    /// cannot be made. `None` = its script is yet to be made, and nothing becomes of it before.
    pub(super) fn settled(&self, device_id: Uuid, device: &Device, next: Next) -> Option<Next> {
        let Some(device::Work::Step(at)) = next.work else { return Some(next) };
        if device.steps.get(at) != Some(&Step::Template) {
            return Some(next);
        }
        match self.0.get(&device_id)? {
            Made::Ready(_) => Some(next),
            Made::Cannot(class, why) => Some(Next::not_made(device, *class, why)),
        }
    }

    /// The job that brings a device its script.
    pub(super) fn job(&self, device_id: Uuid) -> Result<JobSpec, Error> {
        match self.0.get(&device_id) {
            Some(Made::Ready(job)) => Ok(job.clone()),
            Some(Made::Cannot(..)) | None => {
                Err(Error::Internal(format!("no script was made for {device_id}")))
            }
        }
    }

    /// Makes the scripts of these devices; of how many it is known now what they get. The renderers may
    /// have no time for some, which are asked for again.
    pub(super) async fn make(
        &mut self,
        app: &App,
        work: &Work,
        ids: &[Uuid],
    ) -> Result<usize, Error> {
        if ids.is_empty() {
            return Ok(0);
        }
        let source = match Source::of(app, work).await {
            Ok(Some(source)) => source,
            Ok(None) => return Err(Error::Internal("a script without a template".to_owned())),
            Err(Error::Invalid { message, .. }) => return Ok(self.none(ids, &message)),
            Err(error @ Error::Internal(_)) => {
                tracing::error!("the values of a rollout: {}", error.private());
                let why = "the values of the rollout cannot be read; the log has the cause";
                return Ok(self.none(ids, why));
            }
            Err(error) => return Err(error),
        };
        let world = world::current(app).await?;
        let subjects = reconcile::load(app, &world, ids).await?;
        let known: Vec<Uuid> = subjects.iter().map(|subject| subject.facts.device_id).collect();
        let rollout_id = work.row.rollout_id;
        let rendering =
            subjects.into_iter().map(|subject| one(app, &world, &source, rollout_id, subject));
        let made: Vec<(Uuid, Result<Made, Error>)> =
            futures_util::stream::iter(rendering).buffer_unordered(AT_ONCE).collect().await;
        for id in ids.iter().filter(|id| !known.contains(id)) {
            let why = "what is wanted of it cannot be read; the log has the cause".to_owned();
            self.0.insert(*id, Made::Cannot(Class::GiveUp, why));
        }
        let mut settled = ids.len() - known.len();
        for (id, made) in made {
            match made {
                Ok(made) => drop(self.0.insert(id, made)),
                Err(Error::Busy(_)) => continue,
                Err(error) => return Err(error),
            }
            settled += 1;
        }
        self.blame(app, rollout_id).await?;
        Ok(settled)
    }

    /// None of them gets one, which lies with what is to be sent.
    fn none(&mut self, ids: &[Uuid], why: &str) -> usize {
        self.0.extend(ids.iter().map(|id| (*id, Made::Cannot(Class::Hold, why.to_owned()))));
        ids.len()
    }

    /// A template that has given a script to somebody is not wrong as such: where it gives none, that
    /// lies with the device.
    async fn blame(&mut self, app: &App, rollout_id: Uuid) -> Result<(), Error> {
        let held = |made: &Made| matches!(made, Made::Cannot(Class::Hold, _));
        if !self.0.values().any(held) {
            return Ok(());
        }
        let ready = self.0.values().any(|made| matches!(made, Made::Ready(_)));
        if !ready && !has_run(app, rollout_id).await? {
            return Ok(());
        }
        for made in self.0.values_mut() {
            if let Made::Cannot(class, _) = made {
                *class = Class::GiveUp;
            }
        }
        Ok(())
    }
}

/// Whether a device of this rollout has run its script.
async fn has_run(app: &App, rollout_id: Uuid) -> Result<bool, Error> {
    let waves = waves::list(&app.pool, rollout_id).await?;
    Ok(waves.iter().any(|wave| wave.verifying + wave.healthy > 0))
}

async fn one(
    app: &App,
    world: &World,
    source: &Source,
    rollout_id: Uuid,
    subject: Subject,
) -> (Uuid, Result<Made, Error>) {
    let made = made(app, world, source, rollout_id, &subject).await;
    (subject.facts.device_id, made)
}

async fn made(
    app: &App,
    world: &World,
    source: &Source,
    rollout_id: Uuid,
    subject: &Subject,
) -> Result<Made, Error> {
    let given = source.given(subject);
    let ready = match script::made(app, world, subject, &source.template, &given).await {
        Ok(ready) => ready,
        Err(Error::Invalid { pointer, message }) => {
            let why = format!("the template {} gives no script: {message}", source.template.name);
            return Ok(Made::Cannot(class(&pointer), why));
        }
        Err(error) => return Err(error),
    };
    // No job has it yet, and of a rollout it goes by no job.
    let tag = queue::script_tag(Some(rollout_id), subject.facts.device_id, Uuid::nil());
    let job = ready.job_with(&subject.facts, &tag);
    Ok(match job.validate() {
        Ok(()) => Made::Ready(job),
        Err(error) => Made::Cannot(Class::GiveUp, format!("its script cannot be sent: {error}")),
    })
}

/// Whose fault it is that there is no script, by what is wrong: values that are missing or do not fit are
/// the device's own; a template that is wrong, or takes too long, may be so for everybody.
fn class(pointer: &str) -> Class {
    if pointer.starts_with("/variables") { Class::GiveUp } else { Class::Hold }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_devices_own_and_what_is_wrong_is_everybodys() {
        assert_eq!(class("/variables"), Class::GiveUp);
        assert_eq!((class("/body"), class("")), (Class::Hold, Class::Hold));
    }
}
