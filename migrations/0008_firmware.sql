-- RouterOS packages and releases, and what is installed on devices.

-- One RouterOS version. Small: a reference table.
create table releases (
    version     text primary key,
    -- As device_facts.version_key: arrays compare in RouterOS's order of versions.
    version_key integer[] not null,
    notes       text not null default '',
    -- Since when nothing new may be sent of it, and why; null = it may.
    withdrawn_at timestamptz,
    withdrawn_why text,
    created_by  text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

-- The files of a release. Bytes live in the file store under package_id, once for each hash.
create table packages (
    package_id uuid primary key,
    version    text not null references releases on delete restrict,
    -- As muster-routeros spells it: arm, arm64, mipsbe, mmips, smips, tile, ppc, x86.
    arch       text not null,
    -- routeros, tr069-client, wifi-qcom ...
    name       text not null,
    -- As RouterOS of this version expects it at the end of a link.
    file_name  text not null,
    size       bigint not null,
    sha256     bytea not null unique,
    built_at   timestamptz,
    created_by text not null,
    created_at timestamptz not null,
    unique (version, arch, name)
);

-- What a device said, through a script or a direct connection, that CWMP cannot tell.
create table device_packages (
    device_id  uuid primary key,
    -- [{"name", "version", "enabled"}]
    packages   jsonb not null,
    -- RouterBOOT: what runs, and what the installed RouterOS brings; null = not said.
    booter_current text,
    booter_upgrade text,
    -- device-mode, and what it lets be installed; null = not said.
    device_mode    text,
    allowed_versions text,
    -- How it was learned: script, direct.
    source     text not null,
    learned_at timestamptz not null
);

-- Which devices hang on which, and which must never be down together: what paces rollouts.
alter table device_facts
    -- The device that it reaches the network through.
    add column uplink uuid,
    -- Devices with the same word back each other up.
    add column redundancy text;
create index device_facts_uplink on device_facts (uplink) where uplink is not null;
create index device_facts_redundancy on device_facts (redundancy) where redundancy is not null;

-- The rollout that a job is part of: whoever ends it tells the rollout.
alter table jobs add column rollout_id uuid;

-- The scripts that come with Muster: nobody stored them, and nobody removes them.
alter table artifacts add column builtin boolean not null default false;
