//! `muster devices place`: where a device stands, its tags, and with which others it goes together.

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};

use super::columns::Device;
use super::devices::{detail, named};
use super::http::Api;
use super::output::show;

/// A device, and what is said of it.
#[derive(Debug, Args)]
pub struct Place {
    /// Serial number or id.
    name: String,
    #[command(flatten)]
    said: Said,
}

/// What is said of it.
#[derive(Debug, Default, Args)]
#[group(id = "said", required = true, multiple = true)]
pub struct Said {
    /// Path of its site.
    #[arg(long, value_name = "PATH")]
    site: Option<String>,
    /// Take it out of its site.
    #[arg(long, conflicts_with = "site")]
    no_site: bool,
    /// +TAG puts a tag on, -TAG takes it off; may be repeated.
    #[arg(
        long = "tag",
        value_name = "+TAG|-TAG",
        allow_hyphen_values = true,
        value_parser = tag_change
    )]
    tags: Vec<TagChange>,
    /// The device through which it reaches the network: serial number or id.
    #[arg(long, value_name = "DEVICE")]
    uplink: Option<String>,
    /// Forget its uplink.
    #[arg(long, conflicts_with = "uplink")]
    no_uplink: bool,
    /// Devices with the same label back each other up: rollouts never change two at a time.
    #[arg(long, value_name = "LABEL")]
    redundancy: Option<String>,
    /// Nothing backs it up.
    #[arg(long, conflicts_with = "redundancy")]
    no_redundancy: bool,
}

/// What becomes of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagChange {
    /// The device has it.
    On(String),
    /// It has not.
    Off(String),
}

fn tag_change(text: &str) -> Result<TagChange, String> {
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(tag), _) if !tag.is_empty() => Ok(TagChange::On(tag.to_owned())),
        (_, Some(tag)) if !tag.is_empty() => Ok(TagChange::Off(tag.to_owned())),
        _ => Err("+TAG to put it on, -TAG to take it off".to_owned()),
    }
}

pub(super) async fn run(api: &Api, place: Place) -> anyhow::Result<()> {
    let Place { name, said } = place;
    let name = named(&name);
    let path = ["devices", name.as_str()];
    let mut change = said.change();
    if !said.tags.is_empty() {
        let now: Device = api.get(&path, &[]).await?.read()?;
        change.insert("tags".to_owned(), Value::from(tagged(now.tags, &said.tags)));
    }
    let answer = api.call(Method::PATCH, &path, Some(&Value::Object(change))).await?;
    show(api, &answer, detail)
}

impl Said {
    /// The change that the API takes, but for the tags.
    fn change(&self) -> Map<String, Value> {
        let parts = [
            ("site", self.site.clone(), self.no_site),
            ("uplink", self.uplink.as_deref().map(named), self.no_uplink),
            ("redundancy", self.redundancy.clone(), self.no_redundancy),
        ];
        let said = parts.into_iter().filter(|(_, value, none)| value.is_some() || *none);
        said.map(|(field, value, _)| (field.to_owned(), Value::from(value))).collect()
    }
}

fn tagged(mut tags: Vec<String>, changes: &[TagChange]) -> Vec<String> {
    for change in changes {
        match change {
            TagChange::On(tag) if !tags.contains(tag) => tags.push(tag.clone()),
            TagChange::On(_) => {}
            TagChange::Off(tag) => tags.retain(|has| has != tag),
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_are_put_on_and_taken_off() {
        let change = |text: &str| tag_change(text).unwrap();
        let changes = [change("+a"), change("--b"), change("-c"), change("+d")];
        assert_eq!(changes[1], TagChange::Off("-b".to_owned()));
        let had = ["a", "c", "x"].map(str::to_owned).to_vec();
        assert_eq!(tagged(had, &changes), ["a", "x", "d"]);
        assert!(tag_change("a").is_err() && tag_change("+").is_err() && tag_change("").is_err());
    }

    #[test]
    fn only_what_is_said_is_changed() {
        let text = |text: &str| Some(text.to_owned());
        let said = Said { uplink: text("TOWER7"), no_redundancy: true, ..Said::default() };
        let change = json!({ "uplink": "serial:TOWER7", "redundancy": null });
        assert_eq!(Value::Object(said.change()), change);
        let said = Said { site: text("eu"), ..Said::default() };
        assert_eq!(Value::Object(said.change()), json!({ "site": "eu" }));
        assert!(
            Said { tags: vec![TagChange::On("a".to_owned())], ..Said::default() }
                .change()
                .is_empty()
        );
    }
}
