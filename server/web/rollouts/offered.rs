//! What can be chosen in the builder.

use serde::Serialize;
use uuid::Uuid;

use super::form::{BuilderForm, What};
use super::words::Names;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::{artifacts, groups, releases, templates};
use crate::web::device::actions::is_script;
use crate::web::manage::site_paths;

/// Releases, groups, templates, and files among which scripts are looked for, that are offered.
const OFFERED: i64 = 500;

/// What can be chosen.
#[derive(Serialize)]
pub(super) struct Offered {
    releases: Vec<Choice>,
    /// Scripts or templates, by what is written.
    scripts: Vec<Choice>,
    undos: Vec<Choice>,
    groups: Vec<Choice>,
    /// Names of groups and paths of sites, for a wave.
    places: Vec<String>,
    takes: Vec<Choice>,
    orders: Vec<Choice>,
    thens: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Choice {
    value: String,
    label: String,
}

impl Choice {
    fn new(value: impl Into<String>, label: &str) -> Self {
        Self { value: value.into(), label: label.to_owned() }
    }
}

/// What the builder knows: what can be chosen, and groups by name.
pub(super) struct Known {
    pub(super) offered: Offered,
    pub(super) groups: Names,
}

impl Known {
    /// For this form: what is chosen in it can be chosen, whatever else there is.
    pub(super) async fn of(app: &App, ctx: &Ctx, form: &BuilderForm) -> Result<Self, Error> {
        let mut scripts: Vec<Choice> = Vec::new();
        if form.what == What::Script {
            let mut files = artifacts::list(app, ctx, None, OFFERED).await?;
            files.retain(|file| is_script(&file.name));
            scripts =
                files.iter().map(|f| Choice::new(f.artifact_id.to_string(), &f.name)).collect();
            for id in missing(&scripts, [&form.script, &form.undo]) {
                scripts.push(Choice::new(id, &file_name(app, ctx, id).await?));
            }
        }
        if form.what == What::Template {
            let mut found = templates::list(app, ctx, None, OFFERED).await?;
            // Those of the bench are for boards that have nothing yet.
            found.retain(|template| !template.bench);
            scripts = found.iter().map(|t| Choice::new(t.name.as_str(), &t.name)).collect();
            for name in missing(&scripts, [&form.template, &form.undo]) {
                scripts.push(Choice::new(name, name));
            }
        }
        let mut releases: Vec<Choice> = Vec::new();
        if form.what == What::Release {
            let mut stored = releases::list(app, ctx, None, OFFERED).await?;
            stored.retain(|release| release.release.withdrawn_at.is_none());
            let versions = stored.iter().map(|r| r.release.version.as_str());
            releases = versions.map(|version| Choice::new(version, version)).collect();
            for version in missing(&releases, [&form.release, ""]) {
                releases.push(Choice::new(version, version));
            }
        }
        let mut found = groups::list(app, ctx, None, OFFERED).await?;
        if let Ok(id) = Uuid::try_parse(&form.group)
            && found.iter().all(|group| group.group_id != id)
        {
            match groups::get(app, ctx, id).await {
                Ok(group) => found.push(group),
                // A group that is gone: saving says so.
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let groups = Names(found.into_iter().map(|g| (g.group_id, g.name)).collect());
        let sites = site_paths(app, ctx).await?;
        Ok(Self { offered: Offered::new(releases, scripts, &groups, sites), groups })
    }
}

/// What is chosen, and not among the choices.
fn missing<'a>(choices: &[Choice], chosen: [&'a str; 2]) -> Vec<&'a str> {
    let mut missing: Vec<&str> = Vec::new();
    for value in chosen {
        let offered = choices.iter().any(|choice| choice.value == value);
        if !value.is_empty() && !offered && !missing.contains(&value) {
            missing.push(value);
        }
    }
    missing
}

/// The name of a file. One that is gone stays chosen: saving is refused, not done without it.
async fn file_name(app: &App, ctx: &Ctx, id: &str) -> Result<String, Error> {
    let file = match Uuid::try_parse(id) {
        Ok(id) => artifacts::get(app, ctx, id).await,
        Err(_) => Err(Error::NotFound(String::new())),
    };
    match file {
        Ok(file) => Ok(file.name),
        Err(Error::NotFound(_)) => Ok("a file that is gone".to_owned()),
        Err(error) => Err(error),
    }
}

impl Offered {
    fn new(
        releases: Vec<Choice>,
        scripts: Vec<Choice>,
        groups: &Names,
        sites: Vec<String>,
    ) -> Self {
        let none = |label: &str| vec![Choice::new("", label)];
        let with = |mut first: Vec<Choice>, rest: Vec<Choice>| {
            first.extend(rest);
            first
        };
        let named = groups.0.iter().map(|(id, name)| Choice::new(id.to_string(), name)).collect();
        Self {
            releases: with(none("choose one"), releases),
            undos: with(none("none: it cannot be rolled back"), scripts.clone()),
            scripts: with(none("choose one"), scripts),
            groups: with(none("none: those that the selector finds"), named),
            places: groups.0.iter().map(|(_, name)| name.clone()).chain(sites).collect(),
            takes: choices(&TAKES),
            orders: choices(&ORDERS),
            thens: choices(&THENS),
        }
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        let evil = || "<x-evil>".to_owned();
        let scripts = vec![Choice::new("1", "<x-evil>")];
        let groups = Names(vec![(Uuid::nil(), evil())]);
        let releases = vec![Choice::new("<x-evil>", "<x-evil>")];
        Self::new(releases, scripts, &groups, vec![evil()])
    }
}

fn choices(words: &[(&str, &str)]) -> Vec<Choice> {
    words.iter().map(|(value, label)| Choice::new(*value, label)).collect()
}

/// What a wave can take.
const TAKES: [(&str, &str); 7] = [
    ("", "nothing: no wave"),
    ("percent", "percent of all"),
    ("count", "so many devices"),
    ("devices", "these devices"),
    ("group", "a group"),
    ("site", "a site and below"),
    ("rest", "all that are left"),
];
const ORDERS: [(&str, &str); 3] = [
    ("spread", "Spread over the fleet"),
    ("site", "Site by site"),
    ("topology", "The farthest from the uplink first"),
];
const THENS: [(&str, &str); 3] = [
    ("pause", "Pause until somebody decides"),
    ("abort", "Abort: devices in flight finish"),
    ("roll_back", "Roll back what was changed"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::plan::{OnError, Order};

    #[test]
    fn what_is_chosen_is_offered_although_it_is_none_of_the_newest() {
        let newest = [Choice::new("1", "a.rsc"), Choice::new("2", "b.rsc")];
        assert_eq!(missing(&newest, ["3", "4"]), ["3", "4"]);
        assert_eq!(missing(&newest, ["4", "4"]), ["4"]);
        assert!(missing(&newest, ["2", ""]).is_empty());
    }

    #[test]
    fn each_choice_is_one_that_the_form_can_read() {
        for (word, _) in ORDERS {
            assert!(serde_json::from_value::<Order>(word.into()).is_ok(), "{word}");
        }
        for (word, _) in THENS {
            assert!(serde_json::from_value::<OnError>(word.into()).is_ok(), "{word}");
        }
        let blank = BuilderForm::blank(What::Release);
        assert!(ORDERS.iter().any(|(word, _)| *word == blank.order));
        assert!(THENS.iter().any(|(word, _)| *word == blank.error_then));
        let taken = |take: &String| TAKES.iter().any(|(word, _)| word == take);
        assert!(blank.wave_take.iter().all(taken));
    }
}
