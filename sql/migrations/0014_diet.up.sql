-- Parts that the statements share become functions, see schema.sql.
create function page_time(after_us bigint) returns timestamptz
    language sql
    stable
    parallel safe
as $$
    select coalesce('epoch'::timestamptz + after_us * interval '1 microsecond', 'infinity')
$$;

create function page_uuid(after_uuid uuid) returns uuid
    language sql
    immutable
    parallel safe
as $$
    select coalesce(after_uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
$$;

create function since_time(since_us bigint) returns timestamptz
    language sql
    stable
    parallel safe
as $$
    select coalesce('epoch'::timestamptz + since_us * interval '1 microsecond', '-infinity')
$$;

create function since_uuid(since_uuid uuid) returns uuid
    language sql
    immutable
    parallel safe
as $$
    select coalesce(since_uuid, '00000000-0000-0000-0000-000000000000')
$$;

create function page_key(at timestamptz, id uuid) returns text
    language sql
    stable
    parallel safe
as $$
    select (extract(epoch from at) * 1000000)::bigint || '/' || id
$$;

create function clock_us() returns bigint
    language sql
as $$
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;

create function is_timely(not_after bigint) returns boolean
    language sql
as $$
    select clock_timestamp() < 'epoch'::timestamptz + not_after * interval '1 microsecond'
$$;

create function caller(sub text, name text) returns table (uuid uuid, display_name text, handle text, is_allowed boolean)
    language sql
    stable
    rows 1
as $$
    select u.uuid, u.display_name, u.handle, sub is null or name is null or public.fold_text(u.handle) = public.fold_text(name)
    from public.users u
    where u.cognito_user_id = sub
        or (sub is null and u.folded_handle = public.fold_text(name))
$$;

create function missing_caller(sub text) returns text
    language sql
    immutable
    parallel safe
as $$
    select case when sub is null then 'user_not_found' else 'user_not_registered' end
$$;

create function is_live(expires_at timestamptz) returns boolean
    language sql
    stable
    parallel safe
as $$
    select coalesce(expires_at > now(), true)
$$;

create function activity(id uuid) returns setof activities
    language sql
    stable
    rows 1
as $$
    select * from public.activities where uuid = id limit 1
$$;

create function author(id uuid) returns table (handle text, display_name text)
    language sql
    stable
    rows 1
as $$
    select handle, display_name from public.users where uuid = id limit 1
$$;

create function card(a activities, author_name text, author_handle text) returns table (
    uuid uuid, display_name text, handle text, message text, replies_count integer, reposts_count integer, likes_count integer,
    reply_to_activity_uuid uuid, expires_at timestamptz, created_at timestamptz
)
    language sql
    stable
    rows 1
as $$
    select
        a.uuid, author_name, author_handle, a.message, a.replies_count, a.reposts_count, a.likes_count, a.reply_to_activity_uuid,
        a.expires_at, a.created_at
$$;

create function marks(viewer uuid, is_asked boolean, activity uuid) returns table (liked boolean, reposted boolean)
    language sql
    stable
    rows 1
as $$
    select
        case when is_asked then coalesce((select true from public.likes where user_uuid = viewer and activity_uuid = activity), false) end,
        case when is_asked then coalesce((select true from public.reposts where user_uuid = viewer and activity_uuid = activity), false) end
$$;

create function event_card(activity uuid, viewer uuid, reposter uuid, at timestamptz, reposters uuid[]) returns table (body json)
    language sql
    stable
    rows 1
as $$
    select row_to_json(shown)
    from public.activity(activity) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral (
        select
            card.*,
            marks.*,
            (select row_to_json(names) from public.author(reposter) names) as reposted_by,
            case when reposter is not null then at end as reposted_at,
            (
                select coalesce(json_agg(names order by listed.number), '[]')
                from unnest(reposters) with ordinality listed (uuid, number)
                cross join lateral public.author(listed.uuid) names
            ) as reposters,
            '[]'::json as replies
        from public.card(a, u.display_name, u.handle) card
        cross join lateral public.marks(viewer, true, a.uuid) marks
    ) shown
$$;

create function posts_before(after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where reply_to_activity_uuid is null
        and (created_at, uuid) < (public.page_time(after_us), public.page_uuid(after_uuid))
    order by created_at desc, uuid desc
    limit most
$$;

create function posts_since(seen pg_snapshot, before xid8, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where reply_to_activity_uuid is null
        and written_by >= pg_snapshot_xmin(seen)
        and written_by < pg_snapshot_xmax(pg_current_snapshot())
        and (written_by, uuid) < (coalesce(before, '18446744073709551615'), public.page_uuid(after_uuid))
    order by written_by desc, uuid desc
    limit most
$$;

create function replies(parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer) returns setof activities
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
        order by reply_to_activity_uuid, created_at, uuid
        limit (select most)
    )
$$;

create function full_hour(author uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.activities
        where user_uuid = author
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

create function live_posts(author uuid, after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select newest.*
    from public.lifetimes() lifetime
    cross join lateral (
        select *
        from public.activities
        where user_uuid = author
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and (public.lifetime_key(created_at, expires_at), uuid) < (
                coalesce(lifetime.zero + after_us, lifetime.until),
                public.page_uuid(after_uuid)
            )
            and public.is_live(expires_at)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit (select most)
    ) newest
$$;

create function profile(name text, viewer uuid, is_asked boolean) returns table (
    uuid uuid, cognito_user_uuid text, handle text, display_name text, bio text, cruds_count bigint, followed boolean
)
    language sql
    stable
    rows 1
as $$
    select
        u.uuid,
        u.cognito_user_id,
        u.handle,
        u.display_name,
        u.bio,
        (select count(*) from (select from public.live_posts(u.uuid, null, null, 1000) limit 1000) counted),
        case when is_asked then coalesce((select true from public.follows where follower_uuid = viewer and followed_uuid = u.uuid), false) end
    from public.users u
    where u.folded_handle = public.fold_text(name)
$$;

create function snapshot_of(view text) returns pg_snapshot
    language sql
as $$
    select
        case
            when split_part(view, '/', 2)::pg_snapshot is not null and split_part(view, '/', 1) = split_part(public.current_view(), '/', 1)
                then split_part(view, '/', 2)::pg_snapshot
        end
$$;

create function full_message_hour(sender uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.messages
        where user_uuid = sender
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

create function conversations(mine uuid, at timestamptz, id uuid)
    returns table (uuid uuid, other_uuid uuid, last_message_at timestamptz, moved_by xid8)
    language sql
    stable
as $$
    (
        select g.uuid, g.second_user_uuid, g.last_message_at, g.moved_by
        from public.message_groups g
        where g.first_user_uuid = mine
            and (g.last_message_at, g.uuid) < (at, id)
        order by g.last_message_at desc, g.uuid desc
        limit 250
    )
    union all
    (
        select g.uuid, g.first_user_uuid, g.last_message_at, g.moved_by
        from public.message_groups g
        where g.second_user_uuid = mine
            and (g.last_message_at, g.uuid) < (at, id)
        order by g.last_message_at desc, g.uuid desc
        limit 250
    )
$$;

create function settle(top uuid, replies_count integer) returns integer
    language sql
as $$
    select public.settle_replies(top, case when replies_count <= 50 then 50 else 0 end)
$$;

create or replace function embedded_replies(top uuid) returns json
    language plpgsql
    stable
as $$
declare
    reply    record;
    children jsonb := '{}';
    own      jsonb;
    parent   text;
begin
    for reply in
        with recursive thread as (
            select a.uuid, a.created_at, a.replies_count, 1 as depth
            from public.replies(top, true, null, null, 30) a
            union all
            select a.uuid, a.created_at, a.replies_count, thread.depth + 1
            from thread
            cross join lateral public.replies(thread.uuid, true, null, null, 10) a
            where thread.replies_count > 0
                and thread.depth < 5
        ),
        found as (
            select * from thread limit 50
        )
        select card.*
        from found
        cross join lateral public.activity(found.uuid) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral public.card(a, u.display_name, u.handle) card
        order by found.depth desc, found.created_at, found.uuid
    loop
        own := to_jsonb(reply) || jsonb_build_object('replies', coalesce(children -> reply.uuid::text, '[]'));
        parent := reply.reply_to_activity_uuid::text;
        children := children || jsonb_build_object(parent, coalesce(children -> parent, '[]') || jsonb_build_array(own));
    end loop;
    return coalesce(children -> top::text, '[]');
end
$$;

revoke all on function word_marks(), unspaced_characters(), latin_characters(), invisible_characters(),
    blank_characters(), is_blank(text), fold_text(text), is_handle(text), text_words(text),
    text_without_addresses(text), activity_tags(text), activity_search(text, text[], timestamptz),
    phrase_query(text[], boolean, boolean), joined_query(tsquery[], boolean[]), search_query(text) from public;
revoke all on function embedded_replies(uuid) from public;
revoke all on function page_time(bigint), page_uuid(uuid), since_time(bigint), since_uuid(uuid),
    page_key(timestamptz, uuid), clock_us(), is_timely(bigint), caller(text, text), missing_caller(text),
    is_live(timestamptz), activity(uuid), author(uuid), card(activities, text, text), marks(uuid, boolean, uuid),
    event_card(uuid, uuid, uuid, timestamptz, uuid[]), posts_before(bigint, uuid, integer),
    posts_since(pg_snapshot, xid8, uuid, integer), replies(uuid, boolean, bigint, uuid, integer),
    full_hour(uuid, integer), live_posts(uuid, bigint, uuid, integer), profile(text, uuid, boolean),
    snapshot_of(text) from public;
revoke all on function tell_of_activity() from public;
revoke all on function settle_replies(uuid, integer) from public;
revoke all on function settle(uuid, integer) from public;
revoke all on function note_late_activity() from public;
revoke all on function full_message_hour(uuid, integer), conversations(uuid, timestamptz, uuid) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function page_time(bigint), page_uuid(uuid), since_time(bigint), since_uuid(uuid),
            page_key(timestamptz, uuid), clock_us(), is_timely(bigint), caller(text, text), missing_caller(text),
            is_live(timestamptz), activity(uuid), author(uuid), card(activities, text, text),
            marks(uuid, boolean, uuid), event_card(uuid, uuid, uuid, timestamptz, uuid[]),
            posts_before(bigint, uuid, integer), posts_since(pg_snapshot, xid8, uuid, integer),
            replies(uuid, boolean, bigint, uuid, integer), full_hour(uuid, integer),
            live_posts(uuid, bigint, uuid, integer), profile(text, uuid, boolean), snapshot_of(text),
            full_message_hour(uuid, integer), conversations(uuid, timestamptz, uuid),
            settle(uuid, integer) to cruddur_app;
    end if;
end
$$;
