//! Templates, as the API shows them.

use chrono::{DateTime, Utc};
use muster_routeros::lint::{Finding, Severity};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::etag::{self, Made, Shown};
use crate::fleet::template::Variable;
use crate::service::templates::View;
use crate::store::templates::{Template, Told, Version};

/// A template in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateSummary {
    /// Which.
    template_id: Uuid,
    /// What people call it.
    name: String,
    /// For people.
    description: String,
    /// The newest of its versions.
    version: i32,
    /// It comes with Muster: it is copied, not changed.
    builtin: bool,
    /// It is for the bench: it fits into what a board takes.
    bench: bool,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl TemplateSummary {
    pub(super) fn of(t: Template) -> Self {
        Self {
            template_id: t.template_id,
            name: t.name,
            description: t.description,
            version: t.version,
            builtin: t.builtin,
            bench: t.bench,
            created_by: t.created_by,
            created_at: t.created_at,
            updated_at: t.updated_at,
        }
    }
}

/// A template, with its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateView {
    /// The template.
    #[serde(flatten)]
    template: TemplateSummary,
    /// The RouterOS script with `{{ variables }}`.
    body: String,
    /// What it declares.
    variables: Vec<Variable>,
    /// Why this version was made.
    note: String,
}

/// One version of a template. It never changes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateVersionView {
    /// Of which template.
    template_id: Uuid,
    /// Its number, from 1 on.
    version: i32,
    /// The RouterOS script with `{{ variables }}`.
    body: String,
    /// What it declares.
    variables: Vec<Variable>,
    /// Why it was made.
    note: String,
    /// By whom.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl TemplateVersionView {
    pub(super) fn of(v: Version) -> Self {
        Self {
            template_id: v.template_id,
            version: v.version,
            body: v.body,
            variables: v.variables.0,
            note: v.note,
            created_by: v.created_by,
            created_at: v.created_at,
        }
    }
}

/// A version of a template in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateVersionSummary {
    /// Its number, from 1 on.
    version: i32,
    /// Why it was made.
    note: String,
    /// By whom.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl TemplateVersionSummary {
    pub(super) fn of(v: Told) -> Self {
        Self {
            version: v.version,
            note: v.note,
            created_by: v.created_by,
            created_at: v.created_at,
        }
    }
}

/// Something that is wrong with a template or a script.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateFinding {
    /// On which line, from 1 on; 0 = on none.
    line: usize,
    /// `error` or `warning`.
    severity: &'static str,
    /// What kind of thing it is, in a word.
    code: &'static str,
    /// What is wrong, and what to do.
    words: String,
}

impl TemplateFinding {
    pub(super) fn of(finding: Finding) -> Self {
        Self {
            line: finding.line,
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: finding.code,
            words: finding.words,
        }
    }

    pub(super) fn all(findings: Vec<Finding>) -> Vec<Self> {
        findings.into_iter().map(Self::of).collect()
    }
}

pub(super) fn shown(view: View) -> Shown<TemplateView> {
    let View { template, version } = view;
    let updated_at = template.updated_at;
    let view = TemplateView {
        template: TemplateSummary::of(template),
        body: version.body,
        variables: version.variables.0,
        note: version.note,
    };
    etag::shown(updated_at, view)
}

pub(super) fn made(view: View) -> Made<TemplateView> {
    etag::made(format!("/api/v1/templates/{}", view.template.template_id), shown(view))
}
