alter function purge_expired(integer) set enable_incremental_sort = on;

-- The number of different values that the planner assumes. By itself it takes the average number of rows for a value. Most activities have
-- one like or none, so an index on the activity alone would do to find one user's like, and all likes of a popular activity would be read.
-- Where few users have most of the blocks, the whole table would be read to find out whether a user has one.
alter table likes alter column activity_uuid set (n_distinct = 1000);
alter table reposts alter column activity_uuid set (n_distinct = 1000), alter column user_uuid set (n_distinct = 1000);
alter table follows alter column followed_uuid set (n_distinct = 1000);
alter table blocks alter column user_uuid set (n_distinct = 1000), alter column blocked_uuid set (n_distinct = 1000);
alter table mutes alter column user_uuid set (n_distinct = 1000);
alter table notifications alter column activity_uuid set (n_distinct = 1000);
analyze likes, reposts, follows, blocks, mutes, notifications;

-- PL/pgSQL: PostgreSQL does not inline an SQL function that contains a subquery, and plans it again in each statement that calls it.
create or replace function is_blocked(one uuid, other uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    if one is null or other is null then
        return false;
    end if;
    return coalesce(
        (select true from public.blocks where user_uuid = one and blocked_uuid = other),
        (select true from public.blocks where user_uuid = other and blocked_uuid = one),
        false
    );
end
$$;

create function is_hidden(viewer uuid, author uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    return public.is_blocked(viewer, author)
        or exists (select from public.mutes where user_uuid = viewer and muted_uuid = author);
end
$$;

create or replace function hides(viewer uuid, has_hidden boolean, author uuid) returns boolean
    language sql
    stable
as $$
    select case when has_hidden then public.is_hidden(viewer, author) else false end
$$;

create or replace function has_hidden(viewer uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    return coalesce(
        (select true from public.blocks where user_uuid = viewer limit 1),
        (select true from public.blocks where blocked_uuid = viewer limit 1),
        (select true from public.mutes where user_uuid = viewer limit 1),
        false
    );
end
$$;

create or replace function viewer(sub text, name text) returns table (uuid uuid, is_asked boolean, has_hidden boolean)
    language plpgsql
    stable
    rows 1
as $$
begin
    is_asked := sub is not null or name is not null;
    if is_asked then
        uuid := (select caller.uuid from public.caller(sub, name) caller);
    end if;
    has_hidden := uuid is not null and public.has_hidden(uuid);
    return next;
end
$$;

create or replace function replies(parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer, viewer uuid, has_hidden boolean)
    returns setof activities
    language plpgsql
    stable
    rows 30
as $$
begin
    if is_newest then
        return query
        select *
        from public.activities
        where (reply_to_activity_uuid, created_at, uuid) < (parent, public.page_time(after_us), public.page_uuid(after_uuid))
            and reply_to_activity_uuid >= parent
            and public.is_live(expires_at)
            and not public.hides(viewer, has_hidden, user_uuid)
        order by reply_to_activity_uuid desc, created_at desc, uuid desc
        limit (select most);
    else
        return query
        select *
        from public.activities
        where (reply_to_activity_uuid, created_at, uuid) > (parent, public.since_time(after_us), public.since_uuid(after_uuid))
            and reply_to_activity_uuid <= parent
            and public.is_live(expires_at)
            and not public.hides(viewer, has_hidden, user_uuid)
        order by reply_to_activity_uuid, created_at, uuid
        limit (select most);
    end if;
end
$$;

create function shown_activity(id uuid, name text, viewer uuid, is_asked boolean) returns table (
    uuid uuid, display_name text, handle text, message text, replies_count integer, reposts_count integer, likes_count integer,
    reply_to_activity_uuid uuid, expires_at timestamptz, created_at timestamptz, liked boolean, reposted boolean
)
    language plpgsql
    stable
    rows 1
as $$
#variable_conflict use_column
declare
    told  record;
    asked boolean := case when is_asked then false end;
begin
    return query
    select card.*, marks.*
    from public.activity(id) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral public.card(a, u.display_name, u.handle) card
    cross join lateral public.marks(viewer, is_asked, a.uuid) marks
    where public.is_live(a.expires_at)
        and not public.is_blocked(viewer, a.user_uuid)
        and (name is null or public.fold_text(u.handle) = public.fold_text(name));
    if found then
        return;
    end if;
    select n.uuid, n.kind, n.activity_uuid, n.created_at, actor.display_name, actor.handle
    into told
    from public.notifications n
    cross join lateral public.author(n.actor_uuid) actor
    where n.uuid = id
        and n.kind in ('like', 'repost', 'follow')
        and (name is null or public.fold_text(actor.handle) = public.fold_text(name));
    if told.kind = 'follow' then
        return query
        select told.uuid, told.display_name, told.handle, 'follows you', 0, 0, 0, null::uuid, null::timestamptz, told.created_at, asked, asked;
    elsif told.activity_uuid is not null then
        return query
        select * from public.shown_activity(told.activity_uuid, null, viewer, is_asked);
    end if;
end
$$;

create function ancestors(parent uuid, viewer uuid, is_asked boolean) returns json
    language plpgsql
    stable
as $$
begin
    return (
        with recursive above as (
            select a.uuid, a.reply_to_activity_uuid, 1 as height
            from public.activity(parent) a
            where public.is_live(a.expires_at)
            union all
            select a.uuid, a.reply_to_activity_uuid, above.height + 1
            from above
            cross join lateral public.activity(above.reply_to_activity_uuid) a
            where above.height < 100
                and public.is_live(a.expires_at)
        )
        select coalesce(json_agg(ancestor.body order by above.height desc), '[]')
        from above
        cross join lateral public.activity(above.uuid) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral (
            select row_to_json(shown) as body
            from (
                select card.*, marks.*, '[]'::json as replies
                from public.card(a, u.display_name, u.handle) card
                cross join lateral public.marks(viewer, is_asked, a.uuid) marks
            ) shown
        ) ancestor
        where not public.is_blocked(viewer, a.user_uuid)
    );
end
$$;

revoke all on function is_hidden(uuid, uuid), shown_activity(uuid, text, uuid, boolean), ancestors(uuid, uuid, boolean) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function is_hidden(uuid, uuid), shown_activity(uuid, text, uuid, boolean), ancestors(uuid, uuid, boolean) to cruddur_app;
    end if;
end
$$;
