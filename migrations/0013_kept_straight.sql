-- Zero touch, rollouts and the bench: what must be known so that nothing is told, upgraded or served wrongly.

-- When a device first was all that is wanted of it since it was admitted: until then it is new, however long that takes.
alter table device_desired add column first_settled_at timestamptz;
-- When it last came back without a configuration (0 BOOTSTRAP).
alter table device_desired add column reset_at timestamptz;
-- An update of Muster makes no device new again.
update device_desired d set first_settled_at = f.admitted_at
from device_facts f
where f.device_id = d.device_id
  and (f.admitted_at < now() - interval '1 day' or d.settled_at >= f.admitted_at);

-- The bytes of its file are sealed with the key of the installation.
alter table device_artifacts add column sealed boolean not null default false;

-- Which bench serves a board, where several hear it: the first to take the turn does, until it ends.
create table bench_turns (
    -- E4:8D:8C:00:00:01, as in bench_boards.
    mac      text primary key,
    bench_id uuid not null,
    until    timestamptz not null
);
-- Claims that were taken lately confirm the boards that they were made for.
create index claims_taken on claims (taken_at) where taken_at is not null;

-- To which device a factory configuration goes first: a mistake in one shows only after a reset, and
-- then the device is out of reach.
create table factory_trials (
    -- One at a time of each file.
    artifact_id uuid primary key references artifacts on delete cascade,
    -- The device, and the job that takes it there.
    device_id   uuid not null,
    job_id      uuid not null,
    -- When it was known that the device is back from a reset that came after that. Outlives both jobs.
    proven_at   timestamptz
);

-- Devices that began anew of late confirm the boards that they were: looked for every few seconds on each node.
create index device_facts_bootstrapped on device_facts (last_bootstrap) where last_bootstrap is not null;

-- A change that goes on without a backup.
alter table jobs add column unkept boolean not null default false;
