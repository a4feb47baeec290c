-- Users block and mute others.
-- Users that a user has blocked, and users that a user has muted. A blocked user and the one that blocked do not see each other. A muted
-- user is only left out of lists and notifications, and notices nothing.
create table blocks (
    user_uuid    uuid        not null,
    blocked_uuid uuid        not null,
    created_at   timestamptz not null default now(),
    constraint blocks_pkey primary key (user_uuid, blocked_uuid),
    constraint blocks_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint blocks_blocked_uuid_fkey foreign key (blocked_uuid) references users (uuid) on delete cascade,
    constraint blocks_oneself_check check (user_uuid <> blocked_uuid)
);

create index blocks_blocked_idx on blocks (blocked_uuid, user_uuid);

create table mutes (
    user_uuid  uuid        not null,
    muted_uuid uuid        not null,
    created_at timestamptz not null default now(),
    constraint mutes_pkey primary key (user_uuid, muted_uuid),
    constraint mutes_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint mutes_muted_uuid_fkey foreign key (muted_uuid) references users (uuid) on delete cascade,
    constraint mutes_oneself_check check (user_uuid <> muted_uuid)
);

create index mutes_muted_idx on mutes (muted_uuid);

-- A number that grows with each transaction that changes one of the two. The cached home page has the number of its snapshot; a worker
-- serves it to a caller that hid nobody and was hidden from nobody when that was the number (src/home/viewers.h).
create table visibility (
    is_it   boolean not null default true,
    version bigint  not null default 0,
    constraint visibility_pkey primary key (is_it),
    constraint visibility_is_it_check check (is_it)
);

insert into visibility default values;

create function note_visibility() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    update public.visibility set version = version + 1;
    return null;
end
$$;
revoke all on function note_visibility() from public;

create trigger blocks_visibility
    after insert or delete on blocks
    for each statement
    execute function note_visibility();
create trigger mutes_visibility
    after insert or delete on mutes
    for each statement
    execute function note_visibility();

-- Whether one of two users has blocked the other. (Subqueries that return true, as in marks.)
create function is_blocked(one uuid, other uuid) returns boolean
    language sql
    stable
as $$
    select coalesce(
        (select true from public.blocks where user_uuid = one and blocked_uuid = other),
        (select true from public.blocks where user_uuid = other and blocked_uuid = one),
        false
    )
$$;

-- The same by what is committed now: a statement that has waited for a lock does not see what was written meanwhile.
create function is_blocked_now(one uuid, other uuid) returns boolean
    language plpgsql
as $$
begin
    return public.is_blocked(one, other);
end
$$;

-- Whether a viewer's lists leave a user out. has_hidden: the viewer's, so that nothing is looked up for others.
create function hides(viewer uuid, has_hidden boolean, author uuid) returns boolean
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

-- Whether a viewer's lists leave any user out.
create function has_hidden(viewer uuid) returns boolean
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

-- Whether one may block or mute ("kind") another: one does already, or fewer than most. As may_follow.
create function may_hide(kind text, hider uuid, hidden uuid, most integer) returns boolean
    language plpgsql
as $$
begin
    if kind = 'block' then
        return exists (select from public.blocks where user_uuid = hider and blocked_uuid = hidden)
            or most > (select count(*) from (select from public.blocks where user_uuid = hider limit most) counted);
    end if;
    return exists (select from public.mutes where user_uuid = hider and muted_uuid = hidden)
        or most > (select count(*) from (select from public.mutes where user_uuid = hider limit most) counted);
end
$$;
revoke all on function is_blocked(uuid, uuid), is_blocked_now(uuid, uuid), hides(uuid, boolean, uuid), has_hidden(uuid),
    may_hide(text, uuid, uuid, integer) from public;

-- The user that a list is for: is_asked is false where the request names none. See hides().
create function viewer(sub text, name text) returns table (uuid uuid, is_asked boolean, has_hidden boolean)
    language sql
    stable
    rows 1
as $$
    select found.uuid, coalesce(sub, name) is not null, public.has_hidden(found.uuid)
    from (select (select caller.uuid from public.caller(sub, name) caller) as uuid) found
$$;
revoke all on function viewer(text, text) from public;

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
        when 'block' then delete from public.blocks where user_uuid = actor and blocked_uuid = object;
        when 'mute' then delete from public.mutes where user_uuid = actor and muted_uuid = object;
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
        and not public.hides(follower, true, earlier.user_uuid)
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
            and not public.is_blocked(recipient.uuid, new.user_uuid)
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
            and case when (select public.has_hidden(mine)) then not public.is_blocked(mine, g.second_user_uuid) else true end
        order by g.last_message_at desc, g.uuid desc
        limit 250
    )
    union all
    (
        select g.uuid, g.first_user_uuid, g.last_message_at, g.moved_by
        from public.message_groups g
        where g.second_user_uuid = mine
            and (g.last_message_at, g.uuid) < (at, id)
            and case when (select public.has_hidden(mine)) then not public.is_blocked(mine, g.first_user_uuid) else true end
        order by g.last_message_at desc, g.uuid desc
        limit 250
    )
$$;

drop function replies(uuid, boolean, bigint, uuid, integer), embedded_replies(uuid), profile(text, uuid, boolean);

create function replies(parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer, viewer uuid, has_hidden boolean)
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

create function embedded_replies(top uuid, viewer uuid, has_hidden boolean) returns json
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
            from public.replies(top, true, null, null, 30, viewer, has_hidden) a
            union all
            select a.uuid, a.created_at, a.replies_count, thread.depth + 1
            from thread
            cross join lateral public.replies(thread.uuid, true, null, null, 10, viewer, has_hidden) a
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
    uuid uuid, cognito_user_uuid text, handle text, display_name text, bio text, cruds_count bigint, followed boolean,
    blocked boolean, muted boolean
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
                and not public.is_blocked(viewer, u.uuid)
        ),
        case when is_asked then coalesce((select true from public.follows where follower_uuid = viewer and followed_uuid = u.uuid), false) end,
        case when is_asked then coalesce((select true from public.blocks where user_uuid = viewer and blocked_uuid = u.uuid), false) end,
        case when is_asked then coalesce((select true from public.mutes where user_uuid = viewer and muted_uuid = u.uuid), false) end
    from public.users u
    where u.folded_handle = public.fold_text(name)
        and (select true from public.blocks where user_uuid = u.uuid and blocked_uuid = viewer) is null
$$;

revoke all on function replies(uuid, boolean, bigint, uuid, integer, uuid, boolean), embedded_replies(uuid, uuid, boolean),
    profile(text, uuid, boolean) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select on blocks, mutes, visibility to cruddur_app;
        grant delete on blocks, mutes to cruddur_app;
        grant insert (user_uuid, blocked_uuid), update (blocked_uuid) on blocks to cruddur_app;
        grant insert (user_uuid, muted_uuid), update (muted_uuid) on mutes to cruddur_app;
        grant execute on function is_blocked(uuid, uuid), is_blocked_now(uuid, uuid), hides(uuid, boolean, uuid), has_hidden(uuid),
            may_hide(text, uuid, uuid, integer), viewer(text, text) to cruddur_app;
        grant execute on function replies(uuid, boolean, bigint, uuid, integer, uuid, boolean), embedded_replies(uuid, uuid, boolean),
            profile(text, uuid, boolean) to cruddur_app;
    end if;
end
$$;
