//! The templates, built once from the files embedded in the binary.
//!
//! Owns the one Tera instance for HTML. It escapes by the ending of a template's name, so the names
//! are an enum, and all of them end in `.html`. Never give it a template from outside.

use std::sync::LazyLock;

use axum::response::Html;
use rust_embed::{Embed, EmbeddedFile};
use serde::Serialize;
use tera::{Context, Kwargs, State, Tera, TeraResult};

use super::assets;
use crate::error::Error;

#[derive(Embed)]
#[folder = "templates/html"]
struct Embedded;

static TERA: LazyLock<Tera> =
    LazyLock::new(|| build().expect("the embedded templates are valid: tests render each"));

fn build() -> TeraResult<Tera> {
    let mut tera = Tera::new();
    tera.register_function("asset", |kwargs: Kwargs, _: &State| -> TeraResult<String> {
        Ok(assets::url(kwargs.must_get::<&str>("path")?))
    });
    tera.add_raw_templates(sources())?;
    Ok(tera)
}

/// Name and text of each template.
pub(super) fn sources() -> Vec<(String, String)> {
    let names = Embedded::iter().filter(|name| name.ends_with(".html"));
    names
        .filter_map(|name| {
            let file = Embedded::get(&name)?;
            Some((name.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect()
}

/// A file below `static/`.
pub(super) fn static_file(path: &str) -> Option<EmbeddedFile> {
    // A debug build reads the disk, where `..` leads to the templates.
    let inside = path.split('/').all(|part| part != "..");
    inside.then(|| Embedded::get(&format!("static/{path}"))).flatten()
}

/// A line per view: so none is without its file, or forgotten by the tests.
macro_rules! views {
    ($($view:ident => $file:literal,)*) => {
        /// The templates there are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum View {
            $($view,)*
        }

        impl View {
            /// All of them.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$view,)*];

            fn file(self) -> &'static str {
                match self {
                    $(Self::$view => $file,)*
                }
            }
        }
    };
}

views! {
    Account => "account.html",
    AccountToken => "account_token.html",
    AccountTokenNew => "account_token_new.html",
    Again => "again.html",
    Audit => "audit.html",
    Bench => "bench.html",
    BenchAllowed => "bench_allowed.html",
    BenchArm => "bench_arm.html",
    BenchBatch => "bench_batch.html",
    BenchBoard => "bench_board.html",
    BenchImages => "bench_images.html",
    BenchLabels => "bench_labels.html",
    BenchProfile => "bench_profile.html",
    BenchProfiles => "bench_profiles.html",
    Device => "device.html",
    DeviceAdd => "device_add.html",
    DeviceBranch => "device_branch.html",
    DeviceCard => "device_card.html",
    DeviceDelete => "device_delete.html",
    DeviceDiagnose => "device_diagnose.html",
    DeviceEdit => "device_edit.html",
    DeviceEditRow => "device_edit_row.html",
    DeviceFiles => "device_files.html",
    DeviceJobs => "device_jobs.html",
    DeviceParameters => "device_parameters.html",
    DevicePlacement => "device_placement.html",
    DeviceRollouts => "device_rollouts.html",
    DeviceRow => "device_row.html",
    DeviceScript => "device_script.html",
    DeviceSecret => "device_secret.html",
    DeviceSession => "device_session.html",
    DeviceSessions => "device_sessions.html",
    DeviceSummary => "device_summary.html",
    DeviceTimeline => "device_timeline.html",
    Devices => "devices.html",
    DevicesBulk => "devices_bulk.html",
    DevicesCount => "devices_count.html",
    DevicesDone => "devices_done.html",
    DevicesTable => "devices_table.html",
    DevicesKept => "devices_view.html",
    Error => "error.html",
    File => "files_one.html",
    Files => "files.html",
    Group => "group.html",
    GroupCount => "groups_count.html",
    GroupNew => "groups_new.html",
    Groups => "groups.html",
    Job => "job.html",
    JobState => "job_state.html",
    Jobs => "jobs.html",
    JobsList => "jobs_list.html",
    Login => "login.html",
    LoginCode => "login_code.html",
    Offline => "offline.html",
    Overview => "overview.html",
    OverviewFigures => "overview_figures.html",
    OverviewProblems => "overview_problems.html",
    OverviewShares => "overview_shares.html",
    Password => "password.html",
    Release => "release.html",
    Releases => "releases.html",
    ReleasesSent => "releases_sent.html",
    Role => "role.html",
    Roles => "roles.html",
    Rollout => "rollout.html",
    RolloutBuild => "rollout_build.html",
    RolloutDevices => "rollout_devices.html",
    RolloutDryRun => "rollout_dry_run.html",
    RolloutState => "rollout_state.html",
    RolloutStory => "rollout_story.html",
    Rollouts => "rollouts.html",
    RolloutsList => "rollouts_list.html",
    RolloutsNow => "rollouts_now.html",
    Search => "search.html",
    Site => "site.html",
    SiteNew => "sites_new.html",
    Sites => "sites.html",
    Support => "support.html",
    SupportFind => "support_find.html",
    SupportNow => "support_now.html",
    SupportPassword => "support_password.html",
    SupportReboot => "support_reboot.html",
    System => "system.html",
    SystemState => "system_state.html",
    TokenMade => "tokens_made.html",
    TokenNew => "tokens_new.html",
    Tokens => "tokens.html",
    Changes => "changes.html",
    Claim => "claim.html",
    ClaimCredential => "claim_credential.html",
    ClaimImport => "claim_import.html",
    ClaimNew => "claim_new.html",
    ClaimRule => "claim_rule.html",
    ClaimRules => "claim_rules.html",
    ClaimRulesCount => "claim_rules_count.html",
    ClaimScan => "claim_scan.html",
    ClaimScanned => "claim_scanned.html",
    Claims => "claims.html",
    ClaimsUnknown => "claims_unknown.html",
    DeviceDesired => "device_desired.html",
    DeviceDesiredState => "device_desired_state.html",
    Drift => "drift.html",
    Profile => "profile.html",
    ProfileEdit => "profile_edit.html",
    ProfileReach => "profile_reach.html",
    ProfileVariables => "profile_variables.html",
    Profiles => "profiles.html",
    Sweeps => "sweeps.html",
    Template => "template.html",
    TemplateEdit => "template_edit.html",
    TemplateSeen => "template_seen.html",
    TemplateVersion => "template_version.html",
    Templates => "templates.html",
    DeviceBackup => "device_backup.html",
    DeviceBackupDiff => "device_backup_diff.html",
    DeviceBackups => "device_backups.html",
    Webhook => "webhook.html",
    WebhookMade => "webhooks_made.html",
    WebhookNew => "webhooks_new.html",
    Webhooks => "webhooks.html",
    Totp => "totp.html",
    User => "user.html",
    UserNew => "users_new.html",
    UserPassword => "user_password.html",
    Users => "users.html",
}

/// Renders a page or a fragment of one.
pub(super) fn render<T: Serialize>(view: View, context: &T) -> Result<Html<String>, Error> {
    let failed = |e: tera::Error| Error::Internal(format!("template {}: {e}", view.file()));
    let context = Context::from_serialize(context).map_err(failed)?;
    TERA.render(view.file(), &context).map(Html).map_err(failed)
}

/// A context with which the tests render a view.
#[cfg(test)]
pub(super) fn sample<T: Serialize>(view: View, context: &T) -> (View, serde_json::Value) {
    (view, serde_json::to_value(context).expect("contexts are plain data"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::web::{
        account, assets, audit, bench, changes, claims, device, devices, drift, factor, failure,
        files, groups, jobs, login, overview, password, profiles, releases, roles, rollouts,
        search, sites, support, sweeps, system, templates, tokens, users, viewer, webhooks,
    };
    use serde_json::Value;

    /// Of each page's module; a new page adds its own.
    fn samples() -> Vec<(View, Value)> {
        [
            account::samples(),
            assets::samples(),
            audit::samples(),
            bench::samples(),
            changes::samples(),
            claims::samples(),
            device::samples(),
            devices::samples(),
            drift::samples(),
            factor::samples(),
            failure::samples(),
            files::samples(),
            groups::samples(),
            jobs::samples(),
            login::samples(),
            overview::samples(),
            password::samples(),
            profiles::samples(),
            releases::samples(),
            roles::samples(),
            rollouts::samples(),
            search::samples(),
            sites::samples(),
            support::samples(),
            sweeps::samples(),
            system::samples(),
            templates::samples(),
            tokens::samples(),
            users::samples(),
            viewer::samples(),
            webhooks::samples(),
        ]
        .concat()
    }

    #[test]
    fn every_view_is_a_template_that_escapes() {
        let tera = build().unwrap();
        let names: Vec<&str> = tera.get_template_names().collect();
        for view in View::ALL {
            assert!(view.file().ends_with(".html"), "{view:?}");
            assert!(names.contains(&view.file()), "{view:?} is not among {names:?}");
        }
    }

    #[test]
    fn every_view_can_be_rendered_and_stands_within_the_policy() {
        let samples = samples();
        for view in View::ALL {
            assert!(samples.iter().any(|(of, _)| of == view), "{view:?} has no sample");
        }
        for (view, context) in samples {
            let html = match render(view, &context) {
                Ok(html) => html.0,
                Err(error) => panic!("{view:?}: {}", error.private()),
            };
            assert_eq!(
                html.matches("<script").count(),
                html.matches("<script src=\"/").count(),
                "{view:?} has an inline script"
            );
            for inline in ["<style", " style=", " onclick=", "hx-on", "javascript:", "<x-evil"] {
                assert!(!html.contains(inline), "{view:?}: {inline} in {html}");
            }
        }
    }

    #[test]
    fn no_page_is_heavy() {
        for (view, context) in samples() {
            let html = render(view, &context).unwrap().0;
            assert!(html.len() < 150_000, "{view:?}: {} bytes", html.len());
        }
    }
}
