//! A selector as the condition of a query.
//!
//! Only bound parameters carry what somebody wrote; every pushed text is a constant of this file.
//!
//! SQL's third truth value never shows: each pushed condition is *true* exactly where the selector
//! holds, and whether it is false or null elsewhere makes no difference to `where`, `and` and `or`.
//! Negation is `is not true`, which gives true for both. So a comparison outside of a `not` stands
//! bare, and an index can serve it.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::expr::{
    Expr, Flag, ParameterTest, SiteTest, Test, TextField, TextTest, TimeField, TimeTest,
    VersionTest, VersionValue,
};
use super::glob::Glob;
use super::value::{Number, ParameterPath};
use crate::fleet::facts::is_volatile;

type Query = QueryBuilder<Postgres>;

/// Pushes the condition, in parentheses. The query names `device_facts` as `f`, `devices` as `d`,
/// and left joins `device_parameters` as `p`. A device that informed since `online_since` is online.
pub fn push_where(
    q: &mut QueryBuilder<Postgres>,
    expr: &Expr,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) {
    q.push("(");
    match expr {
        Expr::All(parts) => joined(q, parts, " and ", "true", |q, part| {
            push_where(q, part, now, online_since);
        }),
        Expr::Any(parts) => joined(q, parts, " or ", "false", |q, part| {
            push_where(q, part, now, online_since);
        }),
        Expr::Not(inner) => {
            push_where(q, inner, now, online_since);
            q.push(" is not true");
        }
        Expr::Test(test) => push_test(q, test, now, online_since),
    }
    q.push(")");
}

fn joined<T>(
    q: &mut Query,
    parts: &[T],
    between: &'static str,
    of_none: &'static str,
    mut push: impl FnMut(&mut Query, &T),
) {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            q.push(between);
        }
        push(q, part);
    }
    if parts.is_empty() {
        q.push(of_none);
    }
}

fn push_test(q: &mut Query, test: &Test, now: DateTime<Utc>, online_since: DateTime<Utc>) {
    match test {
        Test::Text(field, test) => push_text(q, column(*field), test),
        Test::Version(test) => push_version(q, test),
        Test::Address(nets) => {
            q.push("d.remote_addr <<= any(").push_bind(nets.clone()).push(")");
        }
        Test::Site(test) => push_site(q, test),
        Test::Tag(test) => push_tag(q, test),
        Test::Event(test) => push_event(q, test),
        Test::Member(group) => {
            q.push("exists (select from group_members m where m.device_id = f.device_id ");
            q.push("and m.group_id = ").push_bind(*group).push(")");
        }
        Test::Flag(Flag::Online) => {
            q.push("d.last_inform >= ").push_bind(online_since);
        }
        Test::Flag(Flag::Enrolled) => {
            q.push("f.auth in ('device', 'certificate')");
        }
        Test::Flag(Flag::Quarantined) => {
            q.push("f.quarantined_at is not null");
        }
        Test::Time(field, test) => {
            q.push(time_column(*field));
            match test {
                TimeTest::Known => q.push(" is not null"),
                TimeTest::Older(span) => q.push(" < ").push_bind(now - *span),
                TimeTest::Newer(span) => q.push(" >= ").push_bind(now - *span),
            };
        }
        Test::Parameter(path, test) => push_parameter(q, path, test),
    }
}

fn column(field: TextField) -> &'static str {
    match field {
        TextField::Serial => "f.serial",
        TextField::Oui => "f.oui",
        TextField::Manufacturer => "f.manufacturer",
        TextField::Class => "f.product_class",
        TextField::Model => "f.model",
        TextField::Arch => "f.arch",
        TextField::Identity => "f.identity",
        TextField::Hardware => "f.hardware_version",
        TextField::Code => "f.provisioning_code",
        TextField::Auth => "f.auth",
        TextField::Customer => "f.customer",
    }
}

fn time_column(field: TimeField) -> &'static str {
    match field {
        TimeField::FirstInform => "d.first_inform",
        TimeField::LastInform => "d.last_inform",
        TimeField::LastBoot => "f.last_boot",
        TimeField::LastBootstrap => "f.last_bootstrap",
        TimeField::Refreshed => "p.refreshed_at",
    }
}

fn push_text(q: &mut Query, column: &'static str, test: &TextTest) {
    q.push(column);
    match test {
        TextTest::Known => {
            q.push(" <> ''");
        }
        TextTest::OneOf(wanted) => push_one_of(q, wanted),
        TextTest::Like(glob) => push_like(q, glob),
    }
}

/// What stands before it is one of these.
fn push_one_of(q: &mut Query, wanted: &[String]) {
    match wanted {
        [one] => q.push(" = ").push_bind(one.clone()),
        many => q.push(" = any(").push_bind(many.to_vec()).push(")"),
    };
}

/// What stands before it matches. By the collation "C", so that the case of letters means the same
/// on every server, and the same as to [`Glob::matches`].
fn push_like(q: &mut Query, glob: &Glob) {
    q.push(" collate \"C\" ilike ").push_bind(glob.like());
}

fn push_version(q: &mut Query, test: &VersionTest) {
    match test {
        VersionTest::Known => {
            q.push("f.software_version <> ''");
        }
        VersionTest::OneOf(wanted) => joined(q, wanted, " or ", "false", |q, wanted| {
            match wanted {
                VersionValue::RouterOs(v) => q.push("f.version_key = ").push_bind(v.key().to_vec()),
                VersionValue::Other(text) => {
                    q.push("f.software_version = ").push_bind(text.clone())
                }
            };
        }),
        VersionTest::Compare(order, version) => {
            q.push("f.version_key ").push(order.symbol()).push(" ");
            q.push_bind(version.key().to_vec());
        }
        VersionTest::Like(glob) => {
            q.push("f.software_version");
            push_like(q, glob);
        }
    }
}

fn push_site(q: &mut Query, test: &SiteTest) {
    match test {
        SiteTest::Known => {
            q.push("f.site is not null");
        }
        SiteTest::OneOf(wanted) => joined(q, wanted, " or ", "false", |q, path| {
            q.push("f.site = ").push_bind(path.as_str().to_owned()).push("::ltree");
        }),
        SiteTest::Under(path) => {
            q.push("f.site <@ ").push_bind(path.as_str().to_owned()).push("::ltree");
        }
        SiteTest::Like(glob) => {
            q.push("f.site::text");
            push_like(q, glob);
        }
    }
}

fn push_tag(q: &mut Query, test: &TextTest) {
    match test {
        TextTest::Known => {
            q.push("f.tags <> '{}'");
        }
        TextTest::OneOf(wanted) => {
            q.push("f.tags && ").push_bind(wanted.clone());
        }
        TextTest::Like(glob) => {
            q.push("exists (select from unnest(f.tags) as t (tag) where t.tag");
            push_like(q, glob);
            q.push(")");
        }
    }
}

fn push_event(q: &mut Query, test: &TextTest) {
    match test {
        TextTest::Known => {
            q.push("d.events <> ''");
        }
        TextTest::OneOf(wanted) => {
            q.push("string_to_array(d.events, ', ') && ").push_bind(wanted.clone());
        }
        TextTest::Like(glob) => {
            q.push("exists (select from unnest(string_to_array(d.events, ', ')) as e (code)");
            q.push(" where e.code");
            push_like(q, glob);
            q.push(")");
        }
    }
}

fn push_parameter(q: &mut Query, path: &ParameterPath, test: &ParameterTest) {
    match test {
        ParameterTest::Known => {
            push_value(q, path);
            q.push(" is not null");
        }
        ParameterTest::OneOf(wanted) => {
            push_value(q, path);
            push_one_of(q, wanted);
        }
        ParameterTest::Like(glob) => {
            push_value(q, path);
            push_like(q, glob);
        }
        ParameterTest::Compare(order, number) => {
            // A cast of what is no number would end the query: the case guards it.
            q.push("(select case when n.v ~ ").push_bind(Number::PATTERN);
            q.push(" then n.v::numeric end from (select ");
            push_value(q, path);
            q.push(" as v) n) ").push(order.symbol()).push(" ");
            q.push_bind(number.to_string()).push("::numeric");
        }
    }
}

/// The value as text; null = the device does not have the parameter.
fn push_value(q: &mut Query, path: &ParameterPath) {
    let name = path.as_str().to_owned();
    if is_volatile(path.as_str()) {
        // Counters are kept apart (`fleet::facts`).
        q.push("(select c.doc ->> ").push_bind(name);
        q.push(" from device_counters c where c.device_id = f.device_id)");
    } else {
        q.push("(p.doc -> ").push_bind(name).push(" ->> 'v')");
    }
}
