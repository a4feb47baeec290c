-- Likes, reposts, follows and notifications of them; posts that are kept for longer.
-- What people do with each other's posts. A row is the only record of it; the counts on the activity are written in the
-- statement that writes the row, under a lock on the activity that comes first everywhere.
create table likes (
    user_uuid     uuid        not null,
    activity_uuid uuid        not null,
    created_at    timestamptz not null default now(),
    constraint likes_pkey primary key (activity_uuid, user_uuid),
    constraint likes_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint likes_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

create index likes_user_idx on likes (user_uuid, activity_uuid);

create table reposts (
    user_uuid     uuid        not null,
    activity_uuid uuid        not null,
    created_at    timestamptz not null default now(),
    constraint reposts_pkey primary key (activity_uuid, user_uuid),
    constraint reposts_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint reposts_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

create index reposts_user_idx on reposts (user_uuid, created_at, activity_uuid);
create index reposts_created_at_idx on reposts (created_at);

create table follows (
    follower_uuid uuid        not null,
    followed_uuid uuid        not null,
    created_at    timestamptz not null default now(),
    constraint follows_pkey primary key (follower_uuid, followed_uuid),
    constraint follows_follower_uuid_fkey foreign key (follower_uuid) references users (uuid) on delete cascade,
    constraint follows_followed_uuid_fkey foreign key (followed_uuid) references users (uuid) on delete cascade,
    constraint follows_oneself_check check (follower_uuid <> followed_uuid)
);

create index follows_followed_idx on follows (followed_uuid, follower_uuid);

-- What somebody was told of another's doing: one list for each, however many posts one has and whatever is done to others'.
-- uuid is the activity's for a reply or a mention, else see event_uuid.
create table notifications (
    user_uuid     uuid        not null,
    created_at    timestamptz not null,
    uuid          uuid        not null,
    kind          text        not null,
    actor_uuid    uuid        not null,
    activity_uuid uuid,
    constraint notifications_pkey primary key (user_uuid, created_at, uuid),
    constraint notifications_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint notifications_actor_uuid_fkey foreign key (actor_uuid) references users (uuid) on delete cascade,
    constraint notifications_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade,
    constraint notifications_kind_check check (kind in ('reply', 'mention', 'like', 'repost', 'follow')),
    constraint notifications_oneself_check check (actor_uuid <> user_uuid),
    constraint notifications_activity_uuid_check check ((activity_uuid is null) = (kind = 'follow'))
);

create index notifications_activity_idx on notifications (activity_uuid);
create index notifications_actor_idx on notifications (actor_uuid);

-- Whom a message mentions: the users behind its first ten different words that begin with "@". An "@" inside a word, as in
-- an e-mail address, mentions nobody. What follows a handle may stand close to it: "@londo's." is londo, unless somebody
-- is called londo's.
create function mentioned_users(message text) returns setof uuid
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $$
    select distinct named.uuid
    from (
        select lower(match[1]) as word
        from regexp_matches(message, '(?<![[:alnum:]_@/])@([^[:space:][:cntrl:]/@]+)', 'g') with ordinality found (match, place)
        group by lower(match[1])
        order by min(place)
        limit 10
    ) words
    cross join lateral (
        select uuid
        from public.users
        where lower(handle) in (word, substring(word from '^[[:alnum:]_]+(?:[.-][[:alnum:]_]+)*'))
        order by char_length(handle) desc
        limit 1
    ) named
$$;
revoke all on function mentioned_users(text) from public;

-- A name for what somebody did to something: it tells rows of one list apart and breaks ties in its order.
create function event_uuid(kind text, actor uuid, object uuid) returns uuid
    language sql
    immutable
as $$
    select encode(substring(sha256(convert_to(kind, 'UTF8') || uuid_send(actor) || uuid_send(object)) for 16), 'hex')::uuid
$$;
revoke all on function event_uuid(text, uuid, uuid) from public;

-- Up to when each has seen them.
create table notification_reads (
    user_uuid uuid        not null,
    read_at   timestamptz not null,
    constraint notification_reads_pkey primary key (user_uuid),
    constraint notification_reads_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

-- A reply tells the author of what it replies to, and a message those whom it mentions; one who is both has a reply.
create function tell_of_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
    select told.uuid, new.created_at, new.uuid, told.kind, new.user_uuid, new.uuid
    from (
        select user_uuid as uuid, 'reply' as kind
        from public.activities
        where uuid = new.reply_to_activity_uuid
        union all
        select mentioned.uuid, 'mention'
        from public.mentioned_users(new.message) mentioned (uuid)
        where position('@' in new.message) > 0
            and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
    ) told
    where told.uuid <> new.user_uuid;
    return null;
end
$$;
revoke all on function tell_of_activity() from public;

create trigger activities_tell
    after insert on activities
    for each row
    when (new.reply_to_activity_uuid is not null or position('@' in new.message) > 0)
    execute function tell_of_activity();

-- A like or a repost (the trigger's argument) tells the author, until it is taken back.
create function tell_of_mark() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
        select
            a.user_uuid, new.created_at, public.event_uuid(tg_argv[0], new.user_uuid, a.uuid), tg_argv[0], new.user_uuid, a.uuid
        from public.activities a
        where a.uuid = new.activity_uuid
            and a.user_uuid <> new.user_uuid;
    else
        delete from public.notifications
        where user_uuid = (select user_uuid from public.activities where uuid = old.activity_uuid)
            and created_at = old.created_at
            and uuid = public.event_uuid(tg_argv[0], old.user_uuid, old.activity_uuid);
    end if;
    return null;
end
$$;
revoke all on function tell_of_mark() from public;

create trigger likes_tell
    after insert or delete on likes
    for each row
    execute function tell_of_mark('like');
create trigger reposts_tell
    after insert or delete on reposts
    for each row
    execute function tell_of_mark('repost');

create function tell_of_follow() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid)
        values (
            new.followed_uuid, new.created_at, public.event_uuid('follow', new.follower_uuid, new.followed_uuid), 'follow',
            new.follower_uuid
        );
    else
        delete from public.notifications
        where user_uuid = old.followed_uuid
            and created_at = old.created_at
            and uuid = public.event_uuid('follow', old.follower_uuid, old.followed_uuid);
    end if;
    return null;
end
$$;
revoke all on function tell_of_follow() from public;

create trigger follows_tell
    after insert or delete on follows
    for each row
    execute function tell_of_follow();

-- A reply expires with what it replies to: when that is kept for longer so are its replies, one level after the other.
create function keep_replies() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update public.activities set expires_at = new.expires_at
    where reply_to_activity_uuid = new.uuid
        and expires_at < new.expires_at;
    return null;
end
$$;
revoke all on function keep_replies() from public;

create trigger activities_keep_replies
    after update of expires_at on activities
    for each row
    when (new.expires_at > old.expires_at)
    execute function keep_replies();

-- Those of the posts so far.
insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
select told.uuid, a.created_at, a.uuid, told.kind, a.user_uuid, a.uuid
from activities a
left join activities parent on parent.uuid = a.reply_to_activity_uuid
cross join lateral (
    select parent.user_uuid as uuid, 'reply' as kind
    where parent.uuid is not null
    union all
    select mentioned.uuid, 'mention'
    from mentioned_users(a.message) mentioned (uuid)
    where position('@' in a.message) > 0
        and mentioned.uuid is distinct from parent.user_uuid
) told
where told.uuid <> a.user_uuid;

-- The counts are those of the rows. Nothing ever counted before, so that others were made by hand.
do $$
declare
    changed bigint;
begin
    update activities set likes_count = 0, reposts_count = 0 where likes_count <> 0 or reposts_count <> 0;
    get diagnostics changed = row_count;
    if changed > 0 then
        raise notice '% activities had likes or reposts that nobody had made: their counts begin at 0', changed;
    end if;
end
$$;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant update (reposts_count, likes_count, expires_at) on activities to cruddur_app;
        grant select, insert, delete, update (created_at) on likes, reposts, follows to cruddur_app;
        grant select on notifications to cruddur_app;
        grant select, insert, update (read_at) on notification_reads to cruddur_app;
        grant execute on function event_uuid(text, uuid, uuid) to cruddur_app;
    end if;
end
$$;
