-- People, their roles and sessions, the audit log, and what the dashboard keeps for them.

-- A set of rights with a name. Small: a reference table, like all below but the per-device ones.
create table roles (
    role_id     uuid primary key,
    name        text not null unique,
    description text not null default '',
    -- Words of access::Right.
    rights      text[] not null,
    -- What the support view shows and lets be changed; null = as shipped.
    support     jsonb,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

insert into roles (role_id, name, description, rights, created_at, updated_at) values
    ('00000000-0000-4000-8000-000000000001', 'administrator', 'Everything', '{admin}', now(), now()),
    ('00000000-0000-4000-8000-000000000002', 'operator', 'Runs the fleet: jobs, files, sites, groups, the bench', '{operate,bench}', now(), now()),
    ('00000000-0000-4000-8000-000000000003', 'approver', 'Looks, and lets rollouts go on', '{approve}', now(), now()),
    ('00000000-0000-4000-8000-000000000004', 'viewer', 'Looks, changes nothing', '{read}', now(), now()),
    ('00000000-0000-4000-8000-000000000005', 'support', 'The support view, and nothing else', '{support}', now(), now());

create table users (
    user_id         uuid primary key,
    login           text not null,
    display_name    text not null default '',
    -- PHC string of argon2id; null = logs in by OIDC only.
    password_hash   text,
    must_change     boolean not null default false,
    -- The TOTP secret, sealed; null = no second factor.
    totp_sealed     bytea,
    -- The last time step that was taken: a code is good once (RFC 6238 5.2).
    totp_step       bigint,
    oidc_issuer     text,
    oidc_subject    text,
    -- Theme, time zone, columns of lists.
    preferences     jsonb not null default '{}',
    disabled_at     timestamptz,
    last_login_at   timestamptz,
    created_at      timestamptz not null,
    updated_at      timestamptz not null
);
create unique index users_login on users (lower(login));
create unique index users_oidc on users (oidc_issuer, oidc_subject) where oidc_subject is not null;

-- A user has a role at a site and below it, or everywhere. The site by its id: it may move.
create table user_grants (
    user_id uuid not null references users on delete cascade,
    role_id uuid not null references roles,
    site_id uuid references sites,
    unique nulls not distinct (user_id, role_id, site_id)
);
create index user_grants_role on user_grants (role_id);
create index user_grants_site on user_grants (site_id);

-- Sessions of the dashboard; only a hash of the cookie is kept.
create table user_sessions (
    session_id  uuid primary key,
    user_id     uuid not null references users on delete cascade,
    token_hash  bytea not null unique,
    created_at  timestamptz not null,
    -- Last use, to the minute.
    seen_at     timestamptz not null,
    expires_at  timestamptz not null,
    address     inet not null,
    user_agent  text not null
);
create index user_sessions_user on user_sessions (user_id);
create index user_sessions_expires on user_sessions (expires_at);

alter table api_tokens
    -- Where it may do what its scopes say, with all below; null = everywhere.
    add column site_id    uuid references sites,
    add column created_by text not null default 'console';

-- Who changed what. Append-only.
create table audit_log (
    -- UUIDv7: the order of entries.
    audit_id    uuid primary key,
    at          timestamptz not null,
    actor_kind  text not null check (actor_kind in ('user', 'token', 'console', 'muster', 'nobody')),
    actor_id    uuid,
    actor       text not null,
    address     inet,
    -- What was done, such as site.create.
    action      text not null,
    object_kind text not null,
    object_id   text not null,
    object_name text not null,
    -- Secrets masked; null = there was nothing, or is nothing any more.
    before      jsonb,
    after       jsonb
);
create index audit_log_actor on audit_log (actor, audit_id);
create index audit_log_object on audit_log (object_kind, object_id, audit_id);
create index audit_log_action on audit_log (action, audit_id);

create function muster_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function muster_append_only();

-- Answers to POSTs that named an Idempotency-Key, so that asking again does nothing again.
create table idempotency_keys (
    actor_id     uuid not null,
    key          text not null,
    -- Of method, path and body.
    request_hash bytea not null,
    -- null = the first request is still at work.
    status       smallint,
    headers      jsonb,
    body         bytea,
    created_at   timestamptz not null,
    primary key (actor_id, key)
);
create index idempotency_keys_created on idempotency_keys (created_at);

-- Selectors that people keep, of the device list.
create table saved_views (
    view_id    uuid primary key,
    user_id    uuid not null references users on delete cascade,
    name       text not null,
    selector   text not null,
    columns    text[] not null,
    -- Everybody sees it.
    shared     boolean not null default false,
    created_at timestamptz not null,
    unique (user_id, name)
);

-- When devices of a site may be changed: [{"days": ["mon"], "from": "02:00", "minutes": 180}], in
-- the site's time zone. Empty = as the site above says, and at the top: at any time.
alter table sites add column windows jsonb not null default '[]';

-- What was said in a CWMP session, secrets masked. Only of sessions in which something happened.
create table cwmp_transcripts (
    device_id   uuid not null,
    session_id  uuid not null,
    started_at  timestamptz not null,
    ended_at    timestamptz not null,
    node        text not null,
    remote_addr inet not null,
    -- done, lost, refused ...
    outcome     text not null,
    messages    integer not null,
    body        jsonb not null,
    primary key (device_id, session_id)
);
alter table cwmp_transcripts alter column body set compression lz4;
create index cwmp_transcripts_started on cwmp_transcripts (started_at);

-- Values of secret parameters that a device told or took, sealed (key outside the database).
create table device_secrets (
    device_id  uuid not null,
    name       text not null,
    sealed     bytea not null,
    learned_at timestamptz not null,
    primary key (device_id, name)
);

-- Nodes, by their own heartbeat.
create table nodes (
    node       text primary key,
    version    text not null,
    started_at timestamptz not null,
    seen_at    timestamptz not null,
    -- Open sessions, connections, queue depths ...
    status     jsonb not null
);

-- The fleet over time, a row a minute, written by whichever node is first.
create table fleet_samples (
    at      timestamptz primary key,
    devices bigint not null,
    online  bigint not null,
    -- First seen within the last day.
    fresh   bigint not null,
    -- With a job that failed or expired within the last day.
    faulted bigint not null,
    -- Informs since the sample before, of all nodes.
    informs bigint not null
);

-- The newest events of all devices, for streams: next to nothing to keep, as rows come in order.
create index events_at on events using brin (at) with (pages_per_range = 16, autosummarize = on);

-- The newest problems, and the devices that have one.
create index jobs_problems on jobs (finished_at) where state in ('failed', 'expired');

-- A rare tag must not look common to the planner, which would walk the fleet for it.
alter table device_facts alter column tags set statistics 1000;
-- device_facts_model is on product_class.
create index device_facts_model_name on device_facts (model);

-- Lists of jobs of one kind, and of those that were cancelled.
create index jobs_kind on jobs (kind, job_id);
create index jobs_cancelled on jobs (job_id) where state = 'cancelled';

-- What people type is found by how it begins, in either case, in the order of bytes: whatever the
-- collation of the database is.
create index device_facts_serial_begins on device_facts (upper(serial) text_pattern_ops);
create index device_facts_identity_begins on device_facts (upper(identity) text_pattern_ops);
create index device_facts_code on device_facts (provisioning_code) where provisioning_code is not null;
