//! What each line of a table of claims would do, before anything is stored. Pure.
//!
//! Owns the words of it. A cell that is empty says nothing: what was claimed before stays.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ClaimFields;
use super::csv::{Column, Table};
use super::fit::unfit;
use crate::access::grant::Reach;
use crate::error::Error;
use crate::fleet::secret::{MASK, is_secret};
use crate::fleet::template::Variable;
use crate::fleet::variables::Variables;

/// What makes a formula of a cell; an export writes an apostrophe before it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// What all lines say that do not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// Path of the site.
    pub site: Option<String>,
    /// Name of the profile.
    pub profile: Option<String>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Only a device with the claim's own credential takes it.
    pub own_credential: Option<bool>,
}

/// What one line says; `None` = it says nothing of that.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    serial: Option<String>,
    mac: Option<String>,
    model: Option<String>,
    site: Option<String>,
    profile: Option<String>,
    tags: Option<Vec<String>>,
    customer: Option<String>,
    factory_password: Option<String>,
    own_credential: Option<bool>,
    variables: Variables,
}

impl Said {
    /// What it says, over what was there.
    fn onto(mut self, had: ClaimFields) -> ClaimFields {
        let mut variables = had.variables;
        // A cell is text: a number that an export wrote is still that number.
        self.variables.0.retain(|name, value| {
            let written = variables.0.get(name).map(Value::to_string);
            written.is_none() || value.as_str() != written.as_deref()
        });
        variables.over(&self.variables);
        ClaimFields {
            serial: self.serial.or(had.serial),
            mac: self.mac.or(had.mac),
            model: self.model.or(had.model),
            site: self.site.or(had.site),
            profile: self.profile.or(had.profile),
            variables,
            tags: self.tags.unwrap_or(had.tags),
            customer: self.customer.or(had.customer),
            factory_password: self.factory_password.or(had.factory_password),
            own_credential: self.own_credential.unwrap_or(had.own_credential),
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// What it says, or what is wrong with it.
    pub said: Result<Said, String>,
}

impl Line {
    /// The serial number and the MAC address that it names, as far as they are such: what is to be
    /// looked up before [`plan`].
    pub fn names(&self) -> (Option<String>, Option<String>) {
        let Ok(said) = &self.said else { return (None, None) };
        let serial = said.serial.clone().filter(|text| super::is_serial(text));
        (serial, said.mac.as_deref().and_then(super::mac))
    }

    /// The site that it names.
    pub fn site(&self) -> Option<&str> {
        self.said.as_ref().ok()?.site.as_deref()
    }

    /// The profile that it names.
    pub fn profile(&self) -> Option<&str> {
        self.said.as_ref().ok()?.profile.as_deref()
    }
}

/// What the lines of a table say.
pub fn lines(table: Table, defaults: &Defaults) -> Vec<Line> {
    let Table { columns, rows, .. } = table;
    let line = |row: super::csv::Row| {
        let said = row.cells.and_then(|cells| said(&columns, cells));
        Line { number: row.line, said: said.map(|said| with(said, defaults)) }
    };
    rows.into_iter().map(line).collect()
}

fn with(said: Said, defaults: &Defaults) -> Said {
    Said {
        site: said.site.or_else(|| defaults.site.clone()),
        profile: said.profile.or_else(|| defaults.profile.clone()),
        tags: said.tags.or_else(|| defaults.tags.clone()),
        own_credential: said.own_credential.or(defaults.own_credential),
        ..said
    }
}

fn said(columns: &[Column], cells: Vec<String>) -> Result<Said, String> {
    let mut said = Said::default();
    for (column, cell) in columns.iter().zip(cells) {
        if cell.is_empty() {
            continue;
        }
        match column {
            Column::Serial => said.serial = Some(plain(cell)),
            Column::Mac => said.mac = Some(plain(cell)),
            Column::Model => said.model = Some(plain(cell)),
            Column::Site => said.site = Some(plain(cell)),
            Column::Profile => said.profile = Some(plain(cell)),
            Column::Tags => said.tags = Some(tags(&cell)),
            Column::Customer => said.customer = Some(plain(cell)),
            Column::OwnCredential => said.own_credential = Some(yes(&cell)?),
            // What an export shows in place of a secret says nothing.
            Column::FactoryPassword if cell == MASK => {}
            Column::FactoryPassword => said.factory_password = Some(cell),
            Column::Variable(name) if is_secret(name) && cell == MASK => {}
            Column::Variable(name) => {
                // To the letter: an apostrophe may be part of a password.
                let value = if is_secret(name) { cell } else { plain(cell) };
                said.variables.0.insert(name.clone(), Value::String(value));
            }
            Column::Ignored(_) => {}
        }
    }
    Ok(said)
}

/// A cell without the apostrophe that keeps spreadsheets from taking it for a formula.
fn plain(cell: String) -> String {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest.to_owned(),
        _ => cell,
    }
}

fn tags(cell: &str) -> Vec<String> {
    let parts = cell.split([' ', ',', ';', '|']).filter(|tag| !tag.is_empty());
    parts.map(str::to_owned).collect()
}

fn yes(cell: &str) -> Result<bool, String> {
    match cell.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "1" => Ok(true),
        "no" | "n" | "false" | "0" => Ok(false),
        _ => Err("own_credential: yes or no".to_owned()),
    }
}

/// What a line would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ClaimVerdict)]
pub enum Verdict {
    /// A claim is made.
    New,
    /// A claim is changed.
    Changes,
    /// The claim is there, and stays as it is.
    Same,
    /// It cannot be together with another line, another claim, or the device that took it.
    Conflict,
    /// It cannot be a claim.
    Wrong,
}

impl Verdict {
    /// Whether the line cannot be taken.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Conflict | Self::Wrong)
    }
}

/// A claim that is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Which.
    pub claim_id: Uuid,
    /// A device has taken it.
    pub taken: bool,
    /// What it says, in clear.
    pub fields: ClaimFields,
}

/// What lines are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The claims that have a serial number or MAC address of the lines.
    pub claims: Vec<Stored>,
    /// Paths of sites that are there, of those that lines or claims name.
    pub sites: HashSet<String>,
    /// Names of profiles that are there, of those that lines name.
    pub profiles: HashSet<String>,
    /// Serial numbers, in upper case, of devices that are in.
    pub in_fleet: HashSet<String>,
    /// Where the caller may claim devices.
    pub may: Reach,
    /// What the templates of these profiles declare, by the names of the profiles.
    pub declared: HashMap<String, Vec<Variable>>,
    /// Whether a new claim wants a credential of its own where nobody says so.
    pub own_credential: bool,
}

/// What a line would do, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Counted from 1.
    pub line: usize,
    /// What.
    pub verdict: Verdict,
    /// What is wrong, what changes, or what is worth a look.
    pub words: Option<String>,
    /// The claim that it is about; `None` = there is none yet.
    pub claim_id: Option<Uuid>,
    /// The claim as it would be, in clear.
    pub fields: ClaimFields,
}

/// Why a line cannot be taken.
type Refused = (Verdict, String);

/// What each line would do.
pub fn plan(lines: Vec<Line>, known: &Known) -> Vec<Planned> {
    let mut plan = Plan::new(known);
    lines.into_iter().map(|line| plan.line(line)).collect()
}

struct Plan<'k> {
    known: &'k Known,
    serials: HashMap<String, &'k Stored>,
    macs: HashMap<&'k str, &'k Stored>,
    /// Serial numbers and MAC addresses of earlier lines.
    seen: HashMap<String, usize>,
    /// Stored claims that earlier lines are about.
    met: HashMap<Uuid, usize>,
}

impl<'k> Plan<'k> {
    fn new(known: &'k Known) -> Self {
        let (mut serials, mut macs) = (HashMap::new(), HashMap::new());
        for stored in &known.claims {
            if let Some(serial) = &stored.fields.serial {
                serials.insert(serial.to_ascii_uppercase(), stored);
            }
            if let Some(mac) = &stored.fields.mac {
                macs.insert(mac.as_str(), stored);
            }
        }
        Self { known, serials, macs, seen: HashMap::new(), met: HashMap::new() }
    }

    fn line(&mut self, line: Line) -> Planned {
        let number = line.number;
        let bad = |(verdict, words): Refused, fields| Planned {
            line: number,
            verdict,
            words: Some(words),
            claim_id: None,
            fields,
        };
        match line.said {
            Err(words) => bad((Verdict::Wrong, words), ClaimFields::default()),
            Ok(said) => {
                let bare = said.clone().onto(ClaimFields::default());
                self.said(number, said).unwrap_or_else(|refused| bad(refused, bare))
            }
        }
    }

    fn said(&mut self, line: usize, said: Said) -> Result<Planned, Refused> {
        // By itself first: what is no serial number is not looked for.
        let blank =
            ClaimFields { own_credential: self.known.own_credential, ..ClaimFields::default() };
        let own = said.clone().onto(blank).checked().map_err(told)?;
        let given = said.variables.clone();
        self.once(line, &own)?;
        let stored = self.stored(&own)?;
        if let Some(stored) = stored {
            // One by its serial number and one by its address: the later would undo the earlier.
            let before = *self.met.entry(stored.claim_id).or_insert(line);
            if before != line {
                return Err((Verdict::Conflict, format!("line {before} is about the same claim")));
            }
        }
        let fields = match stored {
            None => own,
            Some(stored) => said.onto(stored.fields.clone()).checked().map_err(told)?,
        };
        let claim_id = stored.map(|stored| stored.claim_id);
        let planned =
            |verdict, words| Planned { line, verdict, words, claim_id, fields: fields.clone() };
        let Some(stored) = stored else {
            self.place(&fields)?;
            self.fits(&fields, &given)?;
            let serial = fields.serial.as_deref().map(str::to_ascii_uppercase);
            let here = serial.is_some_and(|serial| self.known.in_fleet.contains(&serial));
            let words = here.then(|| {
                "a device with this serial number is in already, and does not take the claim"
                    .to_owned()
            });
            return Ok(planned(Verdict::New, words));
        };
        let changes = fields.differences(&stored.fields);
        if changes.is_empty() {
            return Ok(planned(Verdict::Same, None));
        }
        if stored.taken {
            let words =
                "a device has taken the claim: change the device, or remove the claim first";
            return Err((Verdict::Conflict, words.to_owned()));
        }
        self.place(&fields)?;
        // A template may have changed since: what the line leaves alone is not held against it.
        if changes.iter().any(|what| matches!(*what, "profile" | "variables")) {
            self.fits(&fields, &given)?;
        }
        Ok(planned(Verdict::Changes, Some(changes.join(", "))))
    }

    /// That no line before names the same device.
    fn once(&mut self, line: usize, own: &ClaimFields) -> Result<(), Refused> {
        let serial = own.serial.as_deref().map(str::to_ascii_uppercase);
        let keys = [
            serial.map(|serial| ("serial number", serial)),
            own.mac.clone().map(|mac| ("MAC address", mac)),
        ];
        for (what, name) in keys.into_iter().flatten() {
            let before = *self.seen.entry(format!("{what} {name}")).or_insert(line);
            if before != line {
                return Err((Verdict::Conflict, format!("line {before} has the same {what}")));
            }
        }
        Ok(())
    }

    /// The claim for the same device.
    fn stored(&self, own: &ClaimFields) -> Result<Option<&'k Stored>, Refused> {
        let conflict = |words: &str| Err((Verdict::Conflict, words.to_owned()));
        let serial = own.serial.as_deref().map(str::to_ascii_uppercase);
        let by_serial = serial.and_then(|serial| self.serials.get(&serial).copied());
        let by_mac = own.mac.as_deref().and_then(|mac| self.macs.get(mac).copied());
        for stored in [by_serial, by_mac].into_iter().flatten() {
            if !self.known.may.covers(stored.fields.site.as_deref()) {
                return conflict("there is a claim for it already, which you may not change");
            }
        }
        match (by_serial, by_mac) {
            (Some(one), Some(other)) if one.claim_id != other.claim_id => {
                conflict("its serial number is in one claim, and its MAC address in another")
            }
            (None, Some(other)) if own.serial.is_some() && other.fields.serial.is_some() => {
                conflict("its MAC address is in the claim for another serial number")
            }
            (one, other) => Ok(one.or(other)),
        }
    }

    /// That it may be claimed for that site, and site and profile are there.
    fn place(&self, fields: &ClaimFields) -> Result<(), Refused> {
        let wrong = |words: String| Err((Verdict::Wrong, words));
        let site = fields.site.as_deref();
        if !self.known.may.covers(site) {
            let place = site.map_or("without a site".to_owned(), |site| format!("for {site}"));
            return wrong(format!("you may not claim devices {place}"));
        }
        if let Some(site) = site.filter(|site| !self.known.sites.contains(*site)) {
            return wrong(format!("there is no site {site}"));
        }
        let profile = fields.profile.as_deref();
        if let Some(profile) = profile.filter(|name| !self.known.profiles.contains(*name)) {
            return wrong(format!("there is no profile `{}`", profile.escape_debug()));
        }
        Ok(())
    }

    /// That its values fit the template of its profile. Secrets that the line does not say are not
    /// looked at: by the rules of a template somebody could guess one.
    fn fits(&self, fields: &ClaimFields, said: &Variables) -> Result<(), Refused> {
        let profile = fields.profile.as_ref();
        let Some(declared) = profile.and_then(|name| self.known.declared.get(name)) else {
            return Ok(());
        };
        let mut given = fields.clone().masked().variables;
        given.over(said);
        match unfit(declared, &given) {
            Some(why) => Err((Verdict::Wrong, format!("variables: {why}"))),
            None => Ok(()),
        }
    }
}

/// What is wrong with a line, with the name of the column.
fn told(error: Error) -> Refused {
    let words = match error {
        Error::Invalid { pointer, message } => {
            let column = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            format!("{column}: {message}")
        }
        other => other.to_string(),
    };
    (Verdict::Wrong, words)
}

#[cfg(test)]
mod tests;
