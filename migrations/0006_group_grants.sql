-- A grant, and a token, can be for the devices of a group instead of a site.
--
-- Only for a group whose devices are put in one by one: fleet::group. None is removed while somebody
-- is granted something for it: the foreign keys say so too, for without the group nothing would bound
-- the grant any more. No release came before these columns, so no node runs that reads a grant and
-- does not know them.

alter table user_grants
    add column group_id uuid references groups,
    add constraint user_grants_place check (site_id is null or group_id is null),
    drop constraint user_grants_user_id_role_id_site_id_key,
    add constraint user_grants_once unique nulls not distinct (user_id, role_id, site_id, group_id);
create index user_grants_group on user_grants (group_id);

alter table api_tokens
    add column group_id uuid references groups,
    add constraint api_tokens_place check (site_id is null or group_id is null);
-- Whether a group may be removed is asked by it.
create index api_tokens_group on api_tokens (group_id);
