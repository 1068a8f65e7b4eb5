-- Sites, tags and groups, and what selectors need to find devices by them.

-- The backfill below rewrites rows: on a large fleet it takes longer than a statement may.
set local statement_timeout = 0;

-- A trusted extension: the owner of the database may create it.
create extension if not exists ltree;

-- The tree of places. Small: a reference table (design: every node and shard sees it whole).
create table sites (
    site_id    uuid primary key,
    path       ltree not null unique,
    name       text not null,
    -- IANA name.
    time_zone  text not null default 'UTC',
    variables  jsonb not null default '{}',
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- Site and tags stand with the other facts, so that a selector over any of them reads one table.
alter table device_facts
    add column site ltree,
    add column tags text[] not null default '{}',
    -- [major, minor, patch, stage, number] of software_version: arrays compare element by element,
    -- which is RouterOS's order of versions; null = not a version of RouterOS.
    add column version_key integer[];

-- Stages: 0 alpha, 1 beta, 2 rc, 3 final. The same reading as RosVersion of muster-routeros.
update device_facts
set version_key = (
    select array[
        v.part[1]::integer,
        coalesce(v.part[2], '0')::integer,
        coalesce(v.part[3], '0')::integer,
        case v.part[4] when 'alpha' then 0 when 'beta' then 1 when 'rc' then 2 else 3 end,
        coalesce(nullif(v.part[5], ''), '0')::integer
    ]
    from regexp_match(
        software_version,
        '^ *([0-9]{1,9})(?:[.]([0-9]{1,9}))?(?:[.]([0-9]{1,9}))?(?:(alpha|beta|rc)([0-9]{0,9}))?(?: |$)'
    ) as v (part)
    where v.part is not null
)
where software_version is not null;

-- Subtrees (site <@ 'eu.lv'), overlap of tags, and ranges of versions.
create index device_facts_site on device_facts using gist (site);
create index device_facts_tags on device_facts using gin (tags);
create index device_facts_version_key on device_facts (version_key);

-- A selector that has a name, or a list of devices that has one: selector null = group_members.
create table groups (
    group_id    uuid primary key,
    name        text not null unique,
    description text not null default '',
    selector    text,
    created_by  text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

-- device_id leads, so that it is distributed with its devices; the index lists one group.
create table group_members (
    device_id uuid not null,
    group_id  uuid not null,
    primary key (device_id, group_id)
);
create index group_members_group on group_members (group_id);
