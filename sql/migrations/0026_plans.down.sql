alter function purge_expired(integer) reset enable_incremental_sort;

alter table likes alter column activity_uuid reset (n_distinct);
alter table reposts alter column activity_uuid reset (n_distinct), alter column user_uuid reset (n_distinct);
alter table follows alter column followed_uuid reset (n_distinct);
alter table blocks alter column user_uuid reset (n_distinct), alter column blocked_uuid reset (n_distinct);
alter table mutes alter column user_uuid reset (n_distinct);
alter table notifications alter column activity_uuid reset (n_distinct);
analyze likes, reposts, follows, blocks, mutes, notifications;

create or replace function is_blocked(one uuid, other uuid) returns boolean
    language sql
    stable
as $$
    select coalesce(
        (select true from public.blocks where user_uuid = one and blocked_uuid = other),
        (select true from public.blocks where user_uuid = other and blocked_uuid = one),
        false
    )
$$;

create or replace function hides(viewer uuid, has_hidden boolean, author uuid) returns boolean
    language sql
    stable
as $$
    select case
        when has_hidden then coalesce(
            (select true from public.blocks where user_uuid = viewer and blocked_uuid = author),
            (select true from public.blocks where user_uuid = author and blocked_uuid = viewer),
            (select true from public.mutes where user_uuid = viewer and muted_uuid = author),
            false
        )
        else false
    end
$$;

create or replace function has_hidden(viewer uuid) returns boolean
    language sql
    stable
as $$
    select coalesce(
        (select true from public.blocks where user_uuid = viewer limit 1),
        (select true from public.blocks where blocked_uuid = viewer limit 1),
        (select true from public.mutes where user_uuid = viewer limit 1),
        false
    )
$$;

create or replace function viewer(sub text, name text) returns table (uuid uuid, is_asked boolean, has_hidden boolean)
    language sql
    stable
    rows 1
as $$
    select found.uuid, coalesce(sub, name) is not null, public.has_hidden(found.uuid)
    from (select (select caller.uuid from public.caller(sub, name) caller) as uuid) found
$$;

create or replace function replies(parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer, viewer uuid, has_hidden boolean)
    returns setof activities
    language sql
    stable
as $$
    (
        select *
        from public.activities
        where is_newest
            and (reply_to_activity_uuid, created_at, uuid) < (parent, public.page_time(after_us), public.page_uuid(after_uuid))
            and reply_to_activity_uuid >= parent
            and public.is_live(expires_at)
            and not public.hides(viewer, has_hidden, user_uuid)
        order by reply_to_activity_uuid desc, created_at desc, uuid desc
        limit (select most)
    )
    union all
    (
        select *
        from public.activities
        where not is_newest
            and (reply_to_activity_uuid, created_at, uuid) > (parent, public.since_time(after_us), public.since_uuid(after_uuid))
            and reply_to_activity_uuid <= parent
            and public.is_live(expires_at)
            and not public.hides(viewer, has_hidden, user_uuid)
        order by reply_to_activity_uuid, created_at, uuid
        limit (select most)
    )
$$;

drop function is_hidden(uuid, uuid), shown_activity(uuid, text, uuid, boolean), ancestors(uuid, uuid, boolean);
