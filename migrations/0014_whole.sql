-- Whether two files of a device's configuration would give it back the same: a keyed hash of what came, secrets and
-- all. Null = it came before there was this. `sha256` is of the text without secrets.
alter table device_backups add column whole bytea;
