create or replace function take_back(kind text, actor uuid, object uuid) returns integer
    language plpgsql
as $$
declare
    gone integer;
begin
    case kind
        when 'like' then delete from public.likes where user_uuid = actor and activity_uuid = object;
        when 'repost' then delete from public.reposts where user_uuid = actor and activity_uuid = object;
        when 'follow' then delete from public.follows where follower_uuid = actor and followed_uuid = object;
    end case;
    get diagnostics gone = row_count;
    return gone;
end
$$;

create or replace function earlier_reposts(activity uuid, follower uuid, at timestamptz, id uuid, view pg_snapshot) returns table (user_uuid uuid)
    language sql
    stable
as $$
    select earlier.user_uuid
    from (
        select user_uuid, created_at, written_by
        from public.reposts
        where activity_uuid = activity
            and created_at >= at
        order by created_at desc
        limit 100
    ) earlier
    where (view is null or public.was_seen(earlier.written_by, view))
        and (earlier.created_at, public.event_uuid('repost', earlier.user_uuid, activity)) >= (at, id)
        and (select true from public.follows where follower_uuid = follower and followed_uuid = earlier.user_uuid)
$$;

create or replace function tell_of_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    told record;
begin
    if not exists (select from public.activities where uuid = new.uuid) then
        return null; -- deleted by the same transaction
    end if;
    for told in
        select recipient.uuid, recipient.kind
        from (
            select user_uuid as uuid, 'reply' as kind
            from public.activities
            where uuid = new.reply_to_activity_uuid
            union all
            select mentioned.uuid, 'mention'
            from public.mentioned_users(new.message) mentioned (uuid)
            where new.message ~ '[@\ufe6b\uff20]'
                and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
        ) recipient
        where recipient.uuid <> new.user_uuid
        order by public.notification_lock(recipient.uuid)
    loop
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
        values (
            told.uuid, public.next_notification_at(told.uuid, new.created_at), new.uuid, told.kind, new.user_uuid, new.uuid
        );
    end loop;
    return null;
end
$$;

create or replace function conversations(mine uuid, at timestamptz, id uuid)
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

drop function replies(uuid, boolean, bigint, uuid, integer, uuid, boolean), embedded_replies(uuid, uuid, boolean),
    profile(text, uuid, boolean);

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

create function embedded_replies(top uuid) returns json
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
        (
            select count(*)
            from public.user_posts(u.uuid, null, null, '-infinity', public.user_walk_rows()) a
            where public.is_live(a.expires_at)
        ),
        case when is_asked then coalesce((select true from public.follows where follower_uuid = viewer and followed_uuid = u.uuid), false) end
    from public.users u
    where u.folded_handle = public.fold_text(name)
$$;

revoke all on function replies(uuid, boolean, bigint, uuid, integer), embedded_replies(uuid), profile(text, uuid, boolean) from public;
drop function viewer(text, text), is_blocked(uuid, uuid), is_blocked_now(uuid, uuid), hides(uuid, boolean, uuid), has_hidden(uuid),
    may_hide(text, uuid, uuid, integer);
drop table blocks, mutes, visibility;
drop function note_visibility();

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function replies(uuid, boolean, bigint, uuid, integer), embedded_replies(uuid), profile(text, uuid, boolean)
            to cruddur_app;
    end if;
end
$$;
