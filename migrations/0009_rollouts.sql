-- Rollouts: a change, the devices, and the plan; waves, what became of each device, and the story.

create table rollouts (
    rollout_id   uuid primary key,
    name         text not null,
    description  text not null default '',
    -- What (rollout::change), its secrets sealed.
    change       jsonb not null,
    -- Who (rollout::audience) and how (rollout::plan).
    audience     jsonb not null,
    plan         jsonb not null,
    -- The sites that it may touch, as those of whoever made it; null = everywhere.
    scope        text[],
    state        text not null check (state in (
        'draft', 'awaiting_approval', 'scheduled', 'running', 'soaking', 'paused', 'completed',
        'aborted', 'rolling_back', 'rolled_back')),
    -- Why it is in this state, in words, and since when.
    reason       text,
    state_at     timestamptz not null,
    -- Paused: by whom (person, gate), and what it was.
    paused_by    text check (paused_by in ('person', 'gate')),
    resume_to    text,
    -- The wave that is under way, from 0.
    wave         integer not null default 0,
    soak_until   timestamptz,
    start_at     timestamptz,
    -- When all its devices had been taken in.
    prepared_at  timestamptz,
    -- Started in the current minute and day (rollout::pace).
    pace         jsonb not null default '{}',
    -- The rollout that this one takes back, and the one that takes this one back.
    inverse_of   uuid,
    inverse_id   uuid,
    created_by   text not null,
    created_by_id uuid,
    started_by   text,
    started_by_id uuid,
    approved_by  text,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    started_at   timestamptz,
    finished_at  timestamptz,
    -- When a reconciler looks at it next; null = it has ended or not begun. Who does, until when.
    due_at       timestamptz,
    leased_by    uuid,
    leased_until timestamptz
);
create index rollouts_newest on rollouts (created_at desc, rollout_id);

-- A wave with how many of its devices are where. Changed with the devices, in one statement.
create table rollout_waves (
    rollout_id uuid not null references rollouts on delete cascade,
    wave       integer not null,
    name       text not null,
    total      bigint not null default 0,
    waiting    bigint not null default 0,
    -- due, offered, downloading, rebooting
    active     bigint not null default 0,
    verifying  bigint not null default 0,
    healthy    bigint not null default 0,
    failed     bigint not null default 0,
    timed_out  bigint not null default 0,
    skipped    bigint not null default 0,
    -- Failures up to which somebody resumed it: its gate counts from there on.
    forgiven   bigint not null default 0,
    started_at timestamptz,
    ended_at   timestamptz,
    approved_by text,
    -- What its gate saw when it decided last.
    verdict    jsonb,
    primary key (rollout_id, wave)
);

-- device_id leads, so that it is distributed with its devices.
create table rollout_devices (
    device_id   uuid not null,
    rollout_id  uuid not null,
    -- null = left out before it had one.
    wave        integer,
    -- Order within the rollout.
    position    bigint not null default 0,
    state       text not null check (state in (
        'waiting', 'due', 'offered', 'downloading', 'rebooting', 'verifying', 'healthy', 'failed',
        'skipped', 'timed_out')),
    -- Why, in words, and of which kind a failure is (rollout::fault).
    reason      text,
    fault_class text,
    site        ltree,
    uplink      uuid,
    redundancy  text,
    -- What is done to it, one after the other (rollout::device::Step), and which of these it is at.
    steps       jsonb not null default '[]',
    step        integer not null default 0,
    attempts    integer not null default 0,
    job_id      uuid,
    from_version text,
    to_version  text,
    -- Bytes that it downloads.
    bytes       bigint not null default 0,
    -- What to write to take the change back; secrets sealed.
    before      jsonb,
    -- How well it was before, and what each look since then saw (fleet::health).
    baseline    jsonb,
    verdict     jsonb,
    -- When it is looked at next; null = only when something happens to it.
    due_at      timestamptz,
    deadline_at timestamptz,
    started_at  timestamptz,
    -- Since when it runs what it should.
    changed_at  timestamptz,
    finished_at timestamptz,
    primary key (device_id, rollout_id)
);
-- Those whose turn may come, in order; and those that are put off, by when that ends.
create index rollout_devices_waiting on rollout_devices (rollout_id, wave, position)
    where state = 'waiting' and due_at is null;
create index rollout_devices_put_off on rollout_devices (rollout_id, due_at)
    where state = 'waiting' and due_at is not null;
-- A device is under way in one rollout at a time.
create unique index rollout_devices_one on rollout_devices (device_id)
    where state in ('due', 'offered', 'downloading', 'rebooting', 'verifying');
create index rollout_devices_due on rollout_devices (rollout_id, due_at)
    where due_at is not null
      and state in ('due', 'offered', 'downloading', 'rebooting', 'verifying', 'healthy');
create index rollout_devices_active on rollout_devices (rollout_id, site)
    where state in ('due', 'offered', 'downloading', 'rebooting', 'verifying');
create index rollout_devices_redundancy on rollout_devices (redundancy)
    where redundancy is not null
      and state in ('due', 'offered', 'downloading', 'rebooting', 'verifying');
create index rollout_devices_uplink on rollout_devices (uplink, rollout_id)
    where uplink is not null;
create index rollout_devices_list on rollout_devices (rollout_id, state, position);
create index rollout_devices_order on rollout_devices (rollout_id, position, device_id);

-- The story: what happened, when, by whom, and the numbers that were seen.
create table rollout_events (
    rollout_id uuid not null references rollouts on delete cascade,
    -- UUIDv7
    event_id   uuid not null,
    at         timestamptz not null,
    kind       text not null,
    actor      text not null,
    device_id  uuid,
    detail     jsonb not null,
    primary key (rollout_id, event_id)
);
