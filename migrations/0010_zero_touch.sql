-- Zero touch: claims, templates, profiles, desired state, backups, webhooks.

-- RouterOS scripts with typed variables. Small: reference tables.
create table templates (
    template_id uuid primary key,
    name        text not null unique,
    description text not null default '',
    -- The newest of its versions.
    version     integer not null,
    -- Comes with Muster: it is copied, not changed.
    builtin     boolean not null default false,
    created_by  text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

-- A version never changes: what a device took can be seen for ever.
create table template_versions (
    template_id uuid not null references templates on delete cascade,
    version     integer not null,
    body        text not null,
    -- [fleet::template::Variable]
    variables   jsonb not null,
    note        text not null default '',
    created_by  text not null,
    created_at  timestamptz not null,
    primary key (template_id, version)
);

-- Desired state, and of whom: reference tables.
create table profiles (
    profile_id  uuid primary key,
    name        text not null unique,
    description text not null default '',
    -- fleet::profile::Desired; values of secrets sealed.
    desired     jsonb not null,
    -- False: differences are told and never mended.
    enforce     boolean not null default true,
    created_by  text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

create table profile_bindings (
    profile_id uuid not null references profiles,
    -- At a site and below, or for a group; neither = the whole fleet.
    site_id    uuid references sites,
    group_id   uuid references groups,
    -- Of several in one layer the one with the higher rank wins, then the later name.
    rank       integer not null default 0,
    created_by text not null,
    created_at timestamptz not null,
    check (site_id is null or group_id is null),
    unique nulls not distinct (profile_id, site_id, group_id)
);
create index profile_bindings_site on profile_bindings (site_id);
create index profile_bindings_group on profile_bindings (group_id);

-- What is wanted of one device alone, and how far it is from what is wanted of it in all.
create table device_desired (
    device_id   uuid primary key,
    -- The profile that is bound to the device itself.
    profile_id  uuid,
    -- For templates; values of secrets sealed.
    variables   jsonb not null default '{}',
    -- fleet::profile::Wanted by name of parameter: what was adopted from the device.
    overrides   jsonb not null default '{}',
    -- Names of differences that nobody wants to hear of.
    ignored     text[] not null default '{}',
    -- When it is compared next; null = only when something happens. Who does, until when.
    due_at      timestamptz,
    leased_until timestamptz,
    state       text not null default 'unmanaged'
        check (state in ('unmanaged', 'in_sync', 'pending', 'drifted', 'blocked')),
    -- Why, in words.
    reason      text,
    -- What differed when it was compared last ([desired::Difference]), and since when something does.
    differences jsonb not null default '[]',
    drifted_at  timestamptz,
    compared_at timestamptz,
    -- The script that it took last, or is to take: hash of its text, from which version of which template.
    script_sha256   bytea,
    script_template uuid,
    script_version  integer,
    script_job      uuid,
    script_at       timestamptz,
    -- What it said of the script: desired::ScriptReport; null = nothing yet.
    script_report   jsonb,
    -- Times that values were put back, by name: a device that keeps undoing one is left alone for a while.
    undone      jsonb not null default '{}',
    -- Failed attempts in a row.
    attempts    integer not null default 0,
    -- When its configuration is kept next, and when what is wanted is read next.
    backup_due_at timestamptz,
    check_due_at  timestamptz,
    -- What was wanted when it was compared last.
    effective_hash bytea,
    -- When it first was as it should be; before that it is new.
    settled_at  timestamptz,
    -- After failures nothing is tried before this time, unless something else is wanted.
    blocked_until timestamptz,
    -- By key, the jobs whose end was reckoned with.
    heard       jsonb not null default '{}'
);
create index device_desired_due on device_desired (due_at) where due_at is not null;
create index device_desired_state on device_desired (state, device_id)
    where state in ('drifted', 'blocked', 'pending');
create index device_desired_profile on device_desired (profile_id) where profile_id is not null;

-- A change of what is wanted, on its way through the fleet.
create table sweeps (
    sweep_id    uuid primary key,
    -- Why, in words: profile home was changed.
    reason      text not null,
    -- Which devices; null = all.
    selector    text,
    -- Devices a second.
    per_second  integer not null,
    state       text not null check (state in ('running', 'paused', 'done', 'cancelled')),
    -- The device that it came to last.
    cursor      uuid,
    seen        bigint not null default 0,
    differing   bigint not null default 0,
    created_by  text not null,
    created_at  timestamptz not null,
    finished_at timestamptz,
    leased_until timestamptz
);
create index sweeps_open on sweeps (created_at) where state in ('running', 'paused');

-- Devices that are expected.
create table claims (
    claim_id    uuid primary key,
    serial      text,
    -- E4:8D:8C:00:00:01
    mac         text,
    -- As the order or the vendor's list says it: only compared, to warn.
    model       text,
    site        ltree,
    profile_id  uuid references profiles,
    -- For templates; values of secrets sealed.
    variables   jsonb not null default '{}',
    tags        text[] not null default '{}',
    -- The customer's number at the provider.
    customer    text,
    -- The password on the sticker, sealed with claim_id.
    factory_sealed bytea,
    -- Only a device that comes with the claim's own credential takes it.
    own_credential boolean not null default false,
    -- Who took it, and when.
    device_id   uuid,
    taken_at    timestamptz,
    -- Why the last device that wanted it did not get it.
    refused     text,
    refused_at  timestamptz,
    created_by  text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    check (serial is not null or mac is not null)
);
create unique index claims_serial on claims (upper(serial)) where serial is not null;
create unique index claims_mac on claims (mac) where mac is not null;
create index claims_site on claims using gist (site);
create index claims_device on claims (device_id) where device_id is not null;

-- Unknown devices that are let in all the same: the first rule that fits.
create table accept_rules (
    rule_id    uuid primary key,
    position   integer not null,
    name       text not null unique,
    selector   text not null,
    site       ltree,
    profile_id uuid references profiles,
    tags       text[] not null default '{}',
    enabled    boolean not null default true,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

alter table device_facts
    -- After how many seconds it informs again, as it says.
    add column inform_interval integer,
    add column customer text,
    -- Since when it waits for somebody to let it in, and why; null = it is in.
    add column quarantined_at timestamptz,
    add column quarantine_reason text,
    -- When it was let in by a claim, a rule or a person: it is new for a while then.
    add column admitted_at timestamptz;
create index device_facts_customer on device_facts (upper(customer) text_pattern_ops)
    where customer is not null;
create index device_facts_quarantined on device_facts (quarantined_at) where quarantined_at is not null;

-- What a device logged in with before it was given another, good until it has used that: null = none.
alter table device_credentials
    add column previous_md5 text,
    add column previous_sha256 text;

-- Configurations as devices exported them: normalised, secrets taken out, each once.
create table device_configs (
    device_id uuid not null,
    sha256    bytea not null,
    body      text not null,
    primary key (device_id, sha256)
);
alter table device_configs alter column body set compression lz4;

create table device_backups (
    device_id   uuid not null,
    -- UUIDv7: the order.
    backup_id   uuid not null,
    at          timestamptz not null,
    sha256      bytea not null,
    -- The file as it came (device_artifacts); null = it is gone.
    artifact_id uuid,
    job_id      uuid,
    -- schedule, change, demand
    cause       text not null,
    -- Menus that the device could not export: such a backup is no drift.
    incomplete  text[] not null default '{}',
    -- Differs from the one before, and by how many lines.
    changed     boolean not null,
    added       integer not null default 0,
    removed     integer not null default 0,
    -- The one that stands for what is wanted: drift is what differs from it.
    accepted    boolean not null default false,
    primary key (device_id, backup_id)
);
create index device_backups_changed on device_backups (at desc, device_id) where changed;

-- Who is told what happens.
create table webhooks (
    webhook_id uuid primary key,
    name       text not null unique,
    -- http: an URL; email: an address.
    transport  text not null check (transport in ('http', 'email')),
    target     text not null,
    -- What signs it, sealed; null = e-mail.
    secret_sealed bytea,
    -- Kinds of events (notify::Kind).
    kinds      text[] not null,
    -- Only of devices at this site and below.
    site       ltree,
    enabled    boolean not null default true,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table deliveries (
    -- UUIDv7
    delivery_id uuid primary key,
    webhook_id  uuid not null references webhooks on delete cascade,
    kind        text not null,
    device_id   uuid,
    at          timestamptz not null,
    detail      jsonb not null,
    state       text not null default 'queued' check (state in ('queued', 'delivered', 'dead')),
    attempts    integer not null default 0,
    next_at     timestamptz not null,
    leased_until timestamptz,
    -- What came back last: a status, or why nothing did.
    answer      text,
    finished_at timestamptz
);
create index deliveries_due on deliveries (webhook_id, next_at) where state = 'queued';
create index deliveries_dead on deliveries (webhook_id, delivery_id) where state = 'dead';
create index deliveries_of on deliveries (webhook_id, delivery_id);
create index deliveries_finished on deliveries (finished_at) where finished_at is not null;

-- Devices that are not heard of.
create table device_absences (
    device_id    uuid primary key,
    -- Its last inform then, and when that was noticed.
    last_inform  timestamptz not null,
    noticed_at   timestamptz not null
);

-- How many devices ran which version then, by version; null = not counted (each hour is).
alter table fleet_samples add column versions jsonb;
-- The counts of versions among the samples of each minute.
create index fleet_samples_versions on fleet_samples (at) where versions is not null;

-- Who backs up a device that failed waits for it.
create index rollout_devices_sets on rollout_devices (rollout_id, redundancy)
    where redundancy is not null;
