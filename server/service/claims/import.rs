//! Many claims at once, from a table: what each line would do, and doing it.
//!
//! Owns that nothing is stored before it was told line by line what would be, that it is the same which
//! is then done, and that it is done whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{declared, looked_at_again};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::claim::ClaimFields;
use crate::fleet::claim::csv::{self, Encoding};
use crate::fleet::claim::rows::{self, Defaults, Known, Line, Planned, Stored, Verdict};
use crate::fleet::site::SitePath;
use crate::store::claims as store;
use crate::store::sites;

/// Lines that are told; of the others only the number.
const TOLD: usize = 1_000;
/// Claims that are looked up, or written, by one statement.
const BATCH: usize = 1_000;
/// Lines that a refusal repeats.
const REPEATED: usize = 5;

/// What a table would do.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Lines that cannot be taken first, then the others, as many as are told; in the order of the
    /// table. Their secrets are masked.
    pub rows: Vec<Planned>,
    /// How many lines there are of each kind.
    pub counts: BTreeMap<Verdict, usize>,
    /// Claims that would be written, hold secrets and ask for no credential of their own.
    pub exposed: usize,
    /// Of the table, and of what it would do now.
    pub sha256: String,
    /// How its letters are written.
    pub encoding: Encoding,
    /// What stands between its cells.
    pub separator: char,
}

/// What a table did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// How many lines there were of each kind; those that could not be taken were left out.
    pub counts: BTreeMap<Verdict, usize>,
}

/// What a table of claims would do. Nothing is stored.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a file that cannot be read, with the line.
pub async fn preview(
    app: &App,
    ctx: &Ctx,
    bytes: Vec<u8>,
    defaults: Defaults,
) -> Result<Preview, Error> {
    ctx.require(Right::Operate)?;
    let table = read(bytes, defaults).await?;
    let mut tx = app.pool.begin().await?;
    let (planned, _) = plan(&mut tx, app, ctx, table.lines).await?;
    tx.rollback().await?;
    Ok(Preview {
        exposed: planned.iter().filter(writes).filter(|line| line.fields.is_exposed()).count(),
        counts: counts(&planned),
        sha256: fingerprint(&table.sha256, &planned),
        rows: told(planned),
        encoding: table.encoding,
        separator: table.separator,
    })
}

/// Makes and changes claims as a table says. With `expected`, only if it would do what a preview with
/// that `sha256` told. Lines that cannot be taken refuse it all, or are left out with `skip_wrong`.
///
/// # Errors
/// As [`preview`]; [`Error::Invalid`] for lines that cannot be taken; [`Error::Stale`] where it would
/// do something else than was told, [`Error::Conflict`] where a device takes a claim at this moment.
pub async fn import(
    app: &App,
    ctx: &Ctx,
    bytes: Vec<u8>,
    defaults: Defaults,
    expected: Option<&str>,
    skip_wrong: bool,
) -> Result<Imported, Error> {
    ctx.require(Right::Operate)?;
    let table = read(bytes, defaults).await?;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    store::lock(&mut tx).await?;
    let (planned, profiles) = plan(&mut tx, app, ctx, table.lines).await?;
    let sha256 = fingerprint(&table.sha256, &planned);
    if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
        let why = "it would do something else now than the preview told: look at it again";
        return Err(Error::Stale(why.to_owned()));
    }
    if !skip_wrong {
        refuse_wrong(&planned)?;
    }
    let counts = counts(&planned);
    write(&mut tx, app, ctx, &planned, &profiles).await?;
    let import_id = Uuid::now_v7();
    let after = json!({ "sha256": sha256, "lines": &counts });
    let object = Object::new("claims", import_id, "import");
    audit::record(&mut tx, ctx, "claim.import", object, (), after).await?;
    tx.commit().await?;
    let written: Vec<&ClaimFields> =
        planned.iter().filter(writes).map(|line| &line.fields).collect();
    looked_at_again(app, &written).await;
    tracing::info!(import.id = %import_id, by = ctx.actor.name, "claims imported: {counts:?}");
    Ok(Imported { counts })
}

/// A table, read.
struct Table {
    lines: Vec<Line>,
    encoding: Encoding,
    separator: char,
    /// Of its bytes, and of what it says where lines say nothing.
    sha256: [u8; 32],
}

/// Reads a table where it cannot hold up others.
async fn read(bytes: Vec<u8>, defaults: Defaults) -> Result<Table, Error> {
    let read = move || {
        let refused = |refusal: csv::Refusal| {
            Error::invalid("", format!("line {}: {}", refusal.line, refusal.words))
        };
        let table = csv::read(&bytes).map_err(refused)?;
        let (encoding, separator) = (table.encoding, table.separator);
        let mut hash = Sha256::new();
        hash.update(json!(defaults).to_string());
        hash.update([0u8]);
        hash.update(&bytes);
        let sha256 = hash.finalize().into();
        Ok(Table { lines: rows::lines(table, &defaults), encoding, separator, sha256 })
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|e| Error::Internal(format!("a table of claims was not read: {e}")))?
}

/// What the lines would do, and the ids of the profiles that they name.
async fn plan(
    tx: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    lines: Vec<Line>,
) -> Result<(Vec<Planned>, HashMap<String, Uuid>), Error> {
    let (mut claims, mut in_fleet) = (HashMap::new(), HashSet::new());
    let within = ctx.reach(Right::Read).within();
    for batch in lines.chunks(BATCH) {
        let names: Vec<_> = batch.iter().map(Line::names).collect();
        let serials: Vec<String> = names.iter().filter_map(|(serial, _)| serial.clone()).collect();
        let macs: Vec<String> = names.iter().filter_map(|(_, mac)| mac.clone()).collect();
        for claim in store::find(&mut *tx, &[], &serials, &macs).await? {
            let fields = ClaimFields::opened(&claim, &app.keys)?;
            let (claim_id, taken) = (claim.claim_id, claim.device_id.is_some());
            claims.insert(claim_id, Stored { claim_id, taken, fields });
        }
        let upper: Vec<String> = serials.iter().map(|serial| serial.to_ascii_uppercase()).collect();
        in_fleet.extend(store::serials_in(&mut *tx, &upper, within.as_ref()).await?);
    }
    let claims: Vec<Stored> = claims.into_values().collect();
    let said = lines.iter().filter_map(Line::site).map(str::to_owned);
    let had = claims.iter().filter_map(|stored| stored.fields.site.clone());
    // What is no path at all is no site, and no question for the database.
    let paths: BTreeSet<String> =
        said.chain(had).filter(|p| p.parse::<SitePath>().is_ok()).collect();
    let paths: Vec<String> = paths.into_iter().collect();
    let sites = store::sites_among(&mut *tx, &paths).await?.into_iter().collect();
    let said = lines.iter().filter_map(Line::profile).map(str::to_owned);
    let had = claims.iter().filter_map(|stored| stored.fields.profile.clone());
    let names: BTreeSet<String> = said.chain(had).filter(|name| !name.contains('\0')).collect();
    let names: Vec<String> = names.into_iter().collect();
    let profiles: HashMap<String, Uuid> =
        store::profiles_among(tx, &names).await?.into_iter().collect();
    let mut declared = HashMap::new();
    for name in profiles.keys() {
        declared.insert(name.clone(), declared::of(tx, name).await?);
    }
    let known = Known {
        claims,
        sites,
        profiles: profiles.keys().cloned().collect(),
        in_fleet,
        may: ctx.reach(Right::Operate),
        declared,
        own_credential: app.config.zero_touch.claims_own_credential,
    };
    let planned = tokio::task::spawn_blocking(move || rows::plan(lines, &known)).await;
    let lost = |e| Error::Internal(format!("a table of claims was not compared: {e}"));
    Ok((planned.map_err(lost)?, profiles))
}

fn counts(planned: &[Planned]) -> BTreeMap<Verdict, usize> {
    let mut counts = BTreeMap::new();
    for line in planned {
        *counts.entry(line.verdict).or_default() += 1;
    }
    counts
}

/// Of a table and what it would do: another one where claims, devices or sites have changed so that
/// this matters.
fn fingerprint(table: &[u8; 32], planned: &[Planned]) -> String {
    let mut hash = Sha256::new();
    hash.update(table);
    for line in planned {
        let claim = line.claim_id.unwrap_or_default();
        // What it is without a word of it: as the settings say.
        let own = line.fields.own_credential;
        hash.update(json!([line.line, line.verdict, line.words, claim, own]).to_string());
    }
    let sum: [u8; 32] = hash.finalize().into();
    hex::encode(sum)
}

/// Those that are told, secrets masked.
fn told(planned: Vec<Planned>) -> Vec<Planned> {
    let (bad, good): (Vec<Planned>, Vec<Planned>) =
        planned.into_iter().partition(|line| line.verdict.is_bad());
    let mut told: Vec<Planned> = bad.into_iter().chain(good).take(TOLD).collect();
    told.sort_by_key(|line| line.line);
    let masked = |line: Planned| Planned { fields: line.fields.clone().masked(), ..line };
    told.into_iter().map(masked).collect()
}

fn refuse_wrong(planned: &[Planned]) -> Result<(), Error> {
    let bad: Vec<&Planned> = planned.iter().filter(|line| line.verdict.is_bad()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let words = |line: &&Planned| {
        format!("line {}: {}", line.line, line.words.as_deref().unwrap_or_default())
    };
    let mut told: Vec<String> = bad.iter().take(REPEATED).map(words).collect();
    if bad.len() > REPEATED {
        told.push(format!("and {} more lines", bad.len() - REPEATED));
    }
    told.push("nothing was stored".to_owned());
    Err(Error::invalid("", told.join("; ")))
}

/// Whether a line makes or changes a claim.
fn writes(line: &&Planned) -> bool {
    matches!(line.verdict, Verdict::New | Verdict::Changes)
}

async fn write(
    tx: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    planned: &[Planned],
    profiles: &HashMap<String, Uuid>,
) -> Result<(), Error> {
    let lines: Vec<&Planned> = planned.iter().filter(writes).collect();
    for batch in lines.chunks(BATCH) {
        let mut claims = Vec::with_capacity(batch.len());
        for line in batch {
            let profile_id = line.fields.profile.as_ref().and_then(|name| profiles.get(name));
            let claim_id = line.claim_id.unwrap_or_else(Uuid::now_v7);
            claims.push(line.fields.sealed(&app.keys, claim_id, profile_id.copied()));
        }
        let written = store::put(tx, &claims, &ctx.actor.name, ctx.now).await?;
        if usize::try_from(written).ok() != Some(claims.len()) {
            let why = "a device took one of these claims just now: look at it again";
            return Err(Error::Conflict(why.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn line(number: usize, verdict: Verdict) -> Planned {
        let fields =
            ClaimFields { factory_password: Some("hunter2".to_owned()), ..ClaimFields::default() };
        Planned { line: number, verdict, words: Some("why".to_owned()), claim_id: None, fields }
    }

    #[test]
    fn what_is_wrong_is_told_first_and_no_secret_with_it() {
        let mut planned: Vec<Planned> = (2..TOLD + 10).map(|n| line(n, Verdict::New)).collect();
        planned.push(line(5_000, Verdict::Wrong));
        let counted = counts(&planned);
        assert_eq!((counted[&Verdict::New], counted[&Verdict::Wrong]), (TOLD + 8, 1));
        let told = told(planned);
        assert_eq!((told.len(), told.last().unwrap().line), (TOLD, 5_000));
        assert!(told.iter().all(|line| line.fields.factory_password.as_deref() != Some("hunter2")));
    }

    #[test]
    fn a_refusal_names_the_lines() {
        assert!(refuse_wrong(&[line(2, Verdict::New), line(3, Verdict::Same)]).is_ok());
        let bad: Vec<Planned> = (2..9).map(|n| line(n, Verdict::Conflict)).collect();
        let Err(Error::Invalid { message, .. }) = refuse_wrong(&bad) else { panic!("taken") };
        assert!(message.starts_with("line 2: why; line 3: why;"), "{message}");
        assert!(message.ends_with("and 2 more lines; nothing was stored"), "{message}");
    }

    #[test]
    fn another_outcome_is_another_fingerprint() {
        let of = |planned: &[Planned]| fingerprint(&[7; 32], planned);
        let first = of(&[line(2, Verdict::New)]);
        assert_eq!(first.len(), 64);
        assert_eq!(first, of(&[line(2, Verdict::New)]));
        for other in [vec![line(2, Verdict::Same)], vec![line(3, Verdict::New)], Vec::new()] {
            assert_ne!(first, of(&other));
        }
    }
}
