-- The tables of a NEW database (PostgreSQL 15 or later with ICU, no extension). Loaded by bin/db-schema-load, or by hand with
-- psql. All of it or nothing: where a table exists already the load stops, and what was there stays as it was.
\set ON_ERROR_STOP on
begin;
set local search_path = public, pg_temp;

-- Text as it is compared where case does not count: handles, e-mail addresses, tags, words. The rule is Unicode's, by one
-- collation that every server with ICU has, and not by the database's: a Turkish database has the same users as any other.
create function fold_case(value text) returns text
    language sql
    immutable
    parallel safe
as $$
    select lower(value collate pg_catalog."und-x-icu")
$$;
revoke all on function fold_case(text) from public;

-- Which characters are blanks is listed in the constraints: what a class such as [[:space:]] has depends on the database.
create table users (
    uuid            uuid        not null default gen_random_uuid(),
    display_name    text        not null,
    handle          text        not null,
    email           text        not null,
    cognito_user_id text        not null, -- the claim "sub" of the user's tokens
    bio             text        not null default '',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint users_pkey primary key (uuid),
    constraint users_cognito_user_id_key unique (cognito_user_id),
    constraint users_display_name_check check (display_name ~ '[^\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]' and char_length(display_name) <= 255),
    -- One word of a path and of a mention: no blanks, no control characters, no "/" and no "@".
    constraint users_handle_check check (handle ~ '^[^\u0001-\u0020\u007f-\u009f\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000/@]{1,64}$'),
    constraint users_email_check check (email ~ '^[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+@[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000@]+$' and char_length(email) <= 320),
    constraint users_cognito_user_id_check check (cognito_user_id ~ '^[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]{1,128}$'),
    constraint users_bio_check check (char_length(bio) <= 1024)
);

-- AndrewBrown and andrewbrown are one user; statements look handles up by fold_case(handle).
create unique index users_handle_key on users (fold_case(handle));
create unique index users_email_key on users (fold_case(email));

create function set_updated_at() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    new.updated_at := now();
    return new;
end
$$;
revoke all on function set_updated_at() from public;

create trigger users_updated_at
    before update on users
    for each row
    when (old.* is distinct from new.*)
    execute function set_updated_at();

-- The last event of the hook that was applied to a user: when it was signed, and the SHA-256 of those that were signed in that
-- second. Only confirm_user writes here.
create table confirmations (
    user_uuid uuid        not null,
    signed_at timestamptz not null,
    events    bytea[]     not null,
    constraint confirmations_pkey primary key (user_uuid),
    constraint confirmations_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

-- Makes the user whom an event of Cognito's PostConfirmation trigger is about: the outcome word, for which see
-- sql/users/confirm.sql. All rules for it are here and in the table's constraints; what breaks them is caught, so that no
-- value gets into the server's log. The identity (handle, e-mail) is the pool's, so an event that comes again writes it
-- again; the display name is the user's own from then on. pool: null takes any.
-- event_time: when the event was signed; null: by hand, which always counts. An event that is older than the last one that was
-- applied to its user, or was applied already, changes nothing, so that a captured one writes no old handle back. Events of one
-- user are to be applied one after the other, see sql/users/confirm.sql.
create function confirm_user(new_uuid uuid, event json, pool text, event_time timestamptz default null) returns text
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    subject text;
    username text;
    full_name text;
    address text;
    broken_constraint text;
    digest bytea := sha256(convert_to(event::text, 'UTF8'));
    confirmed uuid;
begin
    if json_typeof(event -> 'triggerSource') is distinct from 'string' then
        return 'trigger_source_blank';
    elsif event ->> 'triggerSource' <> 'PostConfirmation_ConfirmSignUp' then
        return 'ok';
    elsif event ->> 'userPoolId' is distinct from coalesce(pool, event ->> 'userPoolId') then
        return 'user_pool_mismatch';
    end if;

    select
        coalesce(max(value #>> '{}') filter (where key = 'sub'), ''),
        coalesce(max(value #>> '{}') filter (where key = 'preferred_username'), ''),
        coalesce(max(value #>> '{}') filter (where key = 'name'), ''),
        coalesce(max(value #>> '{}') filter (where key = 'email'), '')
    into subject, username, full_name, address
    from json_each(
        case json_typeof(event #> '{request,userAttributes}')
            when 'object' then event #> '{request,userAttributes}'
        end
    )
    where json_typeof(value) = 'string';
    if '' in (subject, username, full_name, address) then
        return case ''
            when subject then 'cognito_user_id_blank'
            when username then 'user_handle_blank'
            when full_name then 'display_name_blank'
            else 'email_blank'
        end;
    end if;

    -- Written as it is, and not only found: what is acknowledged waits for the standby.
    update public.confirmations c
    set signed_at = c.signed_at
    from public.users u
    where u.cognito_user_id = subject
        and c.user_uuid = u.uuid
        and (c.signed_at > event_time or (c.signed_at = event_time and digest = any (c.events)));
    if found then
        return 'ok';
    end if;

    for attempt in 1..5 loop
        begin
            insert into public.users (uuid, cognito_user_id, handle, display_name, email)
            values (new_uuid, subject, username, full_name, address)
            on conflict (cognito_user_id) do update set handle = excluded.handle, email = excluded.email
            returning uuid into confirmed;
            insert into public.confirmations as c (user_uuid, signed_at, events)
            select confirmed, event_time, array[digest]
            where event_time is not null
            on conflict (user_uuid) do update
                set signed_at = excluded.signed_at,
                    events = case when c.signed_at = excluded.signed_at then c.events || excluded.events else excluded.events end;
            return 'ok';
        exception
            when check_violation then
                get stacked diagnostics broken_constraint = constraint_name;
                return case broken_constraint
                    when 'users_cognito_user_id_check' then 'cognito_user_id_invalid'
                    when 'users_handle_check' then 'user_handle_invalid'
                    when 'users_email_check' then 'email_invalid'
                    when 'users_display_name_check' then
                        case when char_length(full_name) > 255 then 'display_name_exceed_max_chars' else 'display_name_blank' end
                end;
            when unique_violation then
                if exists (select from public.users where public.fold_case(handle) = public.fold_case(username) and cognito_user_id <> subject) then
                    return 'handle_taken';
                elsif exists (select from public.users where public.fold_case(email) = public.fold_case(address) and cognito_user_id <> subject) then
                    return 'email_taken';
                end if;
                -- Neither: another delivery of this event has just made the row, or whoever had the name has just gone.
        end;
    end loop;
    raise unique_violation using message = 'a user with this uuid, handle or e-mail comes and goes';
end
$$;
revoke all on function confirm_user(uuid, json, text, timestamptz) from public;

-- The tags of a message, each once: '#' and a word with a letter in it, in lower case; null without any. What is a letter or a
-- digit is said by the same collation as in fold_case; combining marks belong to the word.
create function activity_tags(message text) returns text[]
    language plpgsql
    immutable
    parallel safe
    strict
as $$
declare
    word  constant text := '[[:alnum:]_\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u102b-\u103e\u17b4-\u17d3\u3099\u309a]*';
    piece text;
    tag   text;
    tags  text[];
begin
    -- No query in here: every insert does this.
    foreach piece in array (regexp_split_to_array(message collate "und-x-icu", '(?<![[:alnum:]_#&/])#'))[2:] loop
        tag := '#' || public.fold_case(substring(piece collate "und-x-icu" from '^' || word || '[[:alpha:]_]' || word));
        if char_length(tag) <= 65 and tag <> all (coalesce(tags, '{}')) then
            tags := tags || tag;
        end if;
    end loop;
    return tags;
end
$$;
revoke all on function activity_tags(text) from public;

-- What an activity is found by: its words, its tags, and when it was posted, as '@k:n', the n-th time of 2^k seconds since
-- 1970, by which sql/activities/search.sql narrows down to the newest what is found often. No word begins with '@' or '#'.
create function activity_search(message text, tags text[], created_at timestamptz) returns tsvector
    language plpgsql
    immutable
    parallel safe
as $$
declare
    marks  text[] := coalesce(tags, '{}');
    second bigint;
begin
    if isfinite(created_at) then
        second := floor(date_part('epoch', created_at));
        marks := marks || array[
            '@6:' || (second >> 6), '@9:' || (second >> 9), '@12:' || (second >> 12),
            '@15:' || (second >> 15), '@18:' || (second >> 18), '@21:' || (second >> 21)
        ];
    end if;
    return to_tsvector('pg_catalog.simple', public.fold_case(message)) || array_to_tsvector(marks);
end
$$;
revoke all on function activity_search(text, text[], timestamptz) from public;

-- Generated columns would do the same, at twice the price for every insert.
create function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    new.tags := case when strpos(new.message, '#') > 0 then public.activity_tags(new.message) end;
    new.search := public.activity_search(new.message, new.tags, new.created_at);
    return new;
end
$$;
revoke all on function set_activity_search() from public;

create table activities (
    uuid                   uuid        not null default gen_random_uuid(),
    user_uuid              uuid        not null,
    message                text        not null,
    replies_count          integer     not null default 0,
    reposts_count          integer     not null default 0,
    likes_count            integer     not null default 0,
    reply_to_activity_uuid uuid,       -- null: a top-level activity
    expires_at             timestamptz, -- null: never
    created_at             timestamptz not null default now(),
    search                 tsvector    not null, -- what it is found by, with the tags; both follow from the rest
    tags                   text[],      -- null: none
    deleted_at             timestamptz, -- null: it isn't; else expires_at is -infinity, and the purge takes the row away a day later
    constraint activities_pkey primary key (uuid),
    constraint activities_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint activities_reply_to_activity_uuid_fkey foreign key (reply_to_activity_uuid)
        references activities (uuid) on delete cascade,
    -- Code points; text and not varchar(n), which would cut trailing blanks off without a word.
    constraint activities_message_check check (
        char_length(message) between 1 and case when reply_to_activity_uuid is null then 280 else 1024 end
    ),
    constraint activities_replies_count_check check (replies_count >= 0),
    constraint activities_reposts_count_check check (reposts_count >= 0),
    constraint activities_likes_count_check check (likes_count >= 0),
    constraint activities_reply_to_itself_check check (reply_to_activity_uuid <> uuid),
    constraint activities_expires_at_check check (expires_at > created_at or deleted_at is not null)
);

-- How long posts live: at most this long, each as long as the service offers (src/api/rules.c). Of those of one lifetime the
-- later ones expire later, so that what is left of them lies together in an index by lifetime and time, however many have
-- expired. Both functions know the list.

-- Where an activity stands in such an index: 10^18 for each lifetime, and the microseconds since 1970 (exact until 2106).
create function lifetime_key(created_at timestamptz, expires_at timestamptz) returns bigint
    language sql
    immutable
    parallel safe
as $$
    select
        case
            when expires_at = '-infinity' then 0 -- deleted: in no list
            when not (isfinite(created_at) and isfinite(expires_at)) then 8
            when expires_at - created_at <= interval '1 hour' then 1
            when expires_at - created_at <= interval '3 hours' then 2
            when expires_at - created_at <= interval '12 hours' then 3
            when expires_at - created_at <= interval '1 day' then 4
            when expires_at - created_at <= interval '3 days' then 5
            when expires_at - created_at <= interval '7 days' then 6
            when expires_at - created_at <= interval '30 days' then 7
            else 8
        end * 1000000000000000000
        + case
            when created_at > timestamptz '20000-01-01 00:00:00+00' then 700000000000000000
            when created_at > '-infinity' then (date_part('epoch', created_at - timestamptz 'epoch') * 1000000)::bigint
            else -300000000000000000
        end
$$;

-- For each lifetime its zero in such an index, and the keys between which everything is that may not have expired. (The
-- eighth is for what lives longer, or for ever; there, and of what was made to live for another time than these, some may
-- have expired.)
create function lifetimes() returns table (zero bigint, since bigint, until bigint)
    language sql
    stable
    parallel safe
    rows 8
as $$
    select
        number * 1000000000000000000,
        number * 1000000000000000000
        + coalesce((date_part('epoch', now() - length - timestamptz 'epoch') * 1000000)::bigint, -400000000000000000),
        number * 1000000000000000000 + 700000000000000001
    from (
        values
            (1, interval '1 hour'), (2, '3 hours'), (3, '12 hours'), (4, '1 day'), (5, '3 days'), (6, '7 days'), (7, '30 days'),
            (8, null)
    ) lifetime (number, length)
$$;
revoke all on function lifetime_key(timestamptz, timestamptz), lifetimes() from public;

-- One index for every list; uuid breaks ties, so that a keyset cursor neither skips nor repeats a row.
create index activities_home_idx on activities (created_at desc, uuid desc) where reply_to_activity_uuid is null;
create index activities_user_idx on activities (user_uuid, created_at desc, uuid desc);
create index activities_replies_idx on activities (reply_to_activity_uuid, created_at, uuid)
    where reply_to_activity_uuid is not null;
create index activities_expires_at_idx on activities (expires_at) where expires_at is not null;
create index activities_deleted_at_idx on activities (deleted_at, created_at desc) where deleted_at is not null;
create index activities_live_idx on activities (lifetime_key(created_at, expires_at), uuid) where reply_to_activity_uuid is null;
create index activities_user_live_idx
    on activities (user_uuid, (reply_to_activity_uuid is null), lifetime_key(created_at, expires_at), uuid);

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

-- Takes back what actor did to object (an activity or a user): how many rows that were, 0 or 1. A statement that waits for a
-- lock doesn't see what was written meanwhile; a function that it calls once it has the lock does.
create function take_back(kind text, actor uuid, object uuid) returns integer
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
revoke all on function take_back(text, uuid, uuid) from public;

-- Whether one may follow another: one does already, or follows fewer than most. As with take_back, what was committed while
-- the statement waited for the lock counts only here.
create function may_follow(follower uuid, followed uuid, most integer) returns boolean
    language plpgsql
as $$
begin
    return exists (select from public.follows f where f.follower_uuid = follower and f.followed_uuid = followed)
        or most > (select count(*) from (select from public.follows f where f.follower_uuid = follower limit most) counted);
end
$$;
revoke all on function may_follow(uuid, uuid, integer) from public;

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
        select public.fold_case(match[1]) as word
        from regexp_matches(message collate "und-x-icu", '(?<![[:alnum:]_@/])@([^[:space:][:cntrl:]/@]+)', 'g') with ordinality found (match, place)
        group by public.fold_case(match[1])
        order by min(place)
        limit 10
    ) words
    cross join lateral (
        select uuid
        from public.users
        where public.fold_case(handle) in (word, substring(word collate "und-x-icu" from '^[[:alnum:]_]+(?:[.-][[:alnum:]_]+)*'))
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

-- Threads of which some replies don't end yet when what they reply to does; the purge sees to them first.
create table unsettled_threads (
    activity_uuid uuid not null,
    constraint unsettled_threads_pkey primary key (activity_uuid),
    constraint unsettled_threads_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

-- Has replies end with the activity top that they reply to, and theirs with them, "most" of them at most; how many it changed. What
-- is left is noted for the purge: so the work of a request does not grow with the replies of others. The locks go from the top of a thread
-- downwards, as everywhere. A reply that was deleted by itself stays as it is.
create function settle_replies(top uuid, most integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    waiting uuid[] := array[top];
    parent  record;
    below   uuid[];
    moved   integer;
    done    integer := 0;
begin
    while waiting <> '{}' and done < most loop
        select uuid, expires_at, deleted_at into parent
        from public.activities
        where uuid = waiting[1]
        for no key update;
        with moving as (
            select uuid
            from public.activities
            where reply_to_activity_uuid = parent.uuid
                and deleted_at is null
                and expires_at is distinct from parent.expires_at
            limit most - done
            for no key update
        ),
        moved as (
            update public.activities a
            set expires_at = parent.expires_at, deleted_at = parent.deleted_at
            from moving
            where a.uuid = moving.uuid
            returning a.uuid, a.replies_count
        )
        select count(*), coalesce(array_agg(m.uuid) filter (where m.replies_count > 0), '{}') into moved, below
        from moved m;
        done := done + moved;
        waiting := waiting || below;
        if done < most then
            waiting := waiting[2:];
        end if;
    end loop;
    delete from public.unsettled_threads where activity_uuid = top and not top = any (waiting);
    insert into public.unsettled_threads (activity_uuid) select unnest(waiting) on conflict do nothing;
    return done;
end
$$;
revoke all on function settle_replies(uuid, integer) from public;

-- The purge's part of that, "batch" replies at most; how many, or -1 when nothing but a thread's end was found.
create function settle_threads(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    top uuid;
begin
    select t.activity_uuid into top
    from public.unsettled_threads t
    join public.activities a on a.uuid = t.activity_uuid
    limit 1
    for no key update of a skip locked;
    if top is null then
        return 0;
    end if;
    return coalesce(nullif(public.settle_replies(top, batch), 0), -1);
end
$$;
revoke all on function settle_threads(integer) from public;

create trigger activities_search
    before insert or update of message, created_at, search, tags on activities
    for each row
    execute function set_activity_search();

-- A short list of new posts in the index's own waiting room: an insert that empties it isn't held up for long, and a search
-- has to read it as well.
create index activities_search_idx on activities using gin (search) with (gin_pending_list_limit = 256);
create index activities_created_at_idx on activities (created_at desc, uuid desc);
create index activities_tags_idx on activities (created_at desc, uuid desc) where tags is not null;
create index users_handle_prefix_idx on users (fold_case(handle) collate "C");

-- How many users, posts and replies were made in a quarter of an hour (where days begin in any time zone), which begins at
-- "at"; the sum of its rows, as nobody changes one: no row that all inserts queue for. Up to growth_closed.until that is
-- all of them. From there on the rows of activities and users count themselves, and here are those that are gone already.
-- A post counts for ever, expired or deleted; a user who is gone doesn't.
create table growth (
    at      timestamptz not null,
    users   bigint      not null default 0,
    posts   bigint      not null default 0,
    replies bigint      not null default 0
);

create index growth_at_idx on growth (at);

create table growth_closed (
    is_it boolean     not null default true,
    until timestamptz not null,
    constraint growth_closed_pkey primary key (is_it),
    constraint growth_closed_is_it_check check (is_it)
);

insert into growth_closed (until) values ('-infinity');

create function quarter_of(moment timestamptz) returns timestamptz
    language sql
    immutable
    parallel safe
as $$
    select to_timestamp(floor(extract(epoch from moment) / 900) * 900)
$$;
revoke all on function quarter_of(timestamptz) from public;

-- What comes late, into a time that may be closed already, and what moves there by hand.
create function note_late_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    if tg_op = 'UPDATE' then
        insert into public.growth (at, posts, replies)
        select public.quarter_of(old.created_at), -(old.reply_to_activity_uuid is null)::integer,
            -(old.reply_to_activity_uuid is not null)::integer
        from public.growth_closed
        where old.created_at < until;
    end if;
    insert into public.growth (at, posts, replies)
    select public.quarter_of(new.created_at), (new.reply_to_activity_uuid is null)::integer,
        (new.reply_to_activity_uuid is not null)::integer
    from public.growth_closed
    where new.created_at < until;
    return null;
end
$$;
revoke all on function note_late_activity() from public;

create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_late_activity();
create trigger activities_growth_moved
    after update of created_at on activities
    for each row
    when (old.created_at <> new.created_at)
    execute function note_late_activity();

create function note_gone_activities() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from gone) then
        perform pg_advisory_xact_lock_shared(1668445540, 1);
        insert into public.growth (at, posts, replies)
        select public.quarter_of(created_at), count(*) filter (where reply_to_activity_uuid is null), count(reply_to_activity_uuid)
        from gone
        cross join public.growth_closed
        where created_at >= until
        group by 1;
    end if;
    return null;
end
$$;
revoke all on function note_gone_activities() from public;

create trigger activities_growth_gone
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_gone_activities();

-- Users: the same, but that one who is gone is taken off.
create function note_late_user() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    if tg_op <> 'INSERT' then
        insert into public.growth (at, users)
        select public.quarter_of(old.created_at), -1
        from public.growth_closed
        where old.created_at < until;
    end if;
    if tg_op <> 'DELETE' then
        insert into public.growth (at, users)
        select public.quarter_of(new.created_at), 1
        from public.growth_closed
        where new.created_at < until;
    end if;
    return null;
end
$$;
revoke all on function note_late_user() from public;

create trigger users_growth_late
    after insert on users
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_late_user();
create trigger users_growth_moved
    after update of created_at on users
    for each row
    when (old.created_at <> new.created_at)
    execute function note_late_user();
create trigger users_growth_gone
    after delete on users
    for each row
    execute function note_late_user();

create index users_created_at_idx on users (created_at);

-- Closes a day of growth, up to an hour ago at the latest: whatever is inserted has been committed by then. Whether there
-- is more to close. Deletes, and inserts of what is older, wait for its end.
create function close_growth() returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target timestamptz := public.quarter_of(now() - interval '1 hour');
    begins timestamptz;
    ends   timestamptz;
begin
    perform pg_advisory_xact_lock(1668445540, 1);
    select until into begins from public.growth_closed;
    select public.quarter_of(least(
        (select min(created_at) from public.activities where created_at >= begins),
        (select min(created_at) from public.users where created_at >= begins)
    )) + interval '1 day' into ends;
    ends := least(ends, target);
    if ends <= begins then
        return false;
    end if;
    insert into public.growth (at, users, posts, replies)
    select public.quarter_of(created_at), sum(is_user), sum(is_post), sum(is_reply)
    from (
        select created_at, 1 as is_user, 0 as is_post, 0 as is_reply
        from public.users
        where created_at >= begins and created_at < ends
        union all
        select created_at, 0, (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer
        from public.activities
        where created_at >= begins and created_at < ends
    ) made
    group by 1;
    update public.growth_closed set until = ends;
    return ends < target;
end
$$;
revoke all on function close_growth() from public;

-- Makes one row of those for the same quarter or, when they are 60 days old, for the same day in UTC.
create function tidy_growth() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    with placed as (
        select *, case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end as place
        from public.growth
    ),
    taken as (
        delete from public.growth
        where at in (
            select at from placed where place in (select place from placed group by place having count(*) > 1)
        )
        returning *
    )
    insert into public.growth (at, users, posts, replies)
    select
        case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end,
        sum(users), sum(posts), sum(replies)
    from taken
    group by 1
$$;
revoke all on function tidy_growth() from public;

-- What was purged since ever, and when a purge last came to its end. Only they write here, one at a time.
create table purge_progress (
    is_it       boolean     not null default true,
    posts       bigint      not null default 0,
    finished_at timestamptz, -- null: none did
    constraint purge_progress_pkey primary key (is_it),
    constraint purge_progress_is_it_check check (is_it)
);

insert into purge_progress default values;

-- Deletes expired activities, and those that were marked as deleted a day ago, "batch" of them at most, with 20 likes and 20 reposts for each of them at most (and as many
-- notifications); how many, or -1 when all that it did was to take so many likes and reposts off one that has more. It takes locks only where it needn't wait
-- for them. Replies are younger than what they reply to and go before it, so that no cascade makes a batch larger than that
-- (unless by hand a reply was made to outlive what it replies to). A parent that stays has a reply less.
create function purge_expired(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    most    integer := 20 * batch;
    doomed  uuid[];
    parents uuid[];
    popular uuid;
begin
    doomed := array(
        select uuid
        from public.activities
        where expires_at <= now()
            and expires_at > '-infinity'
        order by expires_at, created_at desc, reply_to_activity_uuid is null
        limit batch
    );
    doomed := doomed || array(
        select uuid
        from public.activities a
        where deleted_at < now() - interval '1 day'
            and not exists (select from public.unsettled_threads where activity_uuid = a.uuid)
        order by deleted_at, created_at desc
        limit batch - cardinality(doomed)
    );
    parents := array(
        select p.uuid
        from public.activities p
        where p.uuid in (select reply_to_activity_uuid from public.activities where uuid = any (doomed))
            and (p.expires_at is null or p.expires_at > now())
        order by p.uuid
        for no key update skip locked
    );
    doomed := array(
        select a.uuid
        from public.activities a
        where a.uuid = any (doomed)
            and a.expires_at <= now() -- still: it may be kept for longer now
            and (
                a.reply_to_activity_uuid = any (parents)
                or not exists (
                    select
                    from public.activities p
                    where p.uuid = a.reply_to_activity_uuid
                        and (p.expires_at is null or p.expires_at > now())
                )
            )
        for update skip locked
    );
    select uuid into popular
    from public.activities
    where uuid = any (doomed)
    order by expires_at, created_at desc, reply_to_activity_uuid is null, uuid
    limit 1;
    doomed := array(
        select uuid
        from (
            select
                uuid,
                sum(likes_count) over this_far as likes,
                sum(reposts_count) over this_far as reposts
            from public.activities
            where uuid = any (doomed)
            window this_far as (order by expires_at, created_at desc, reply_to_activity_uuid is null, uuid)
        ) counted
        where likes <= most
            and reposts <= most
    );
    if popular is not null and doomed = '{}' then
        delete from public.likes
        where (user_uuid, activity_uuid) in (select user_uuid, activity_uuid from public.likes where activity_uuid = popular limit most);
        delete from public.reposts
        where (user_uuid, activity_uuid) in (select user_uuid, activity_uuid from public.reposts where activity_uuid = popular limit most);
        delete from public.notifications
        where (user_uuid, created_at, uuid) in (
            select user_uuid, created_at, uuid from public.notifications where activity_uuid = popular limit 2 * most
        );
        update public.activities
        set likes_count = greatest(likes_count - most, 0), reposts_count = greatest(reposts_count - most, 0)
        where uuid = popular;
        return -1;
    end if;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (
        select reply_to_activity_uuid, count(*) as replies
        from public.activities
        where uuid = any (doomed)
            and reply_to_activity_uuid = any (parents)
            and deleted_at is null -- else it was taken off then
        group by reply_to_activity_uuid
    ) gone
    where p.uuid = gone.reply_to_activity_uuid;
    delete from public.activities where uuid = any (doomed);
    update public.purge_progress set posts = posts + cardinality(doomed) where doomed <> '{}';
    return cardinality(doomed);
end
$$;
revoke all on function purge_expired(integer) from public;

create function note_purge_end() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    update public.purge_progress set finished_at = now()
$$;
revoke all on function note_purge_end() from public;

-- One step of the service's own purge, each a transaction of its own; how much was done, 0 when nothing is left to do. "batch"
-- limits it as in purge_expired. Replies first, so that they end with what they reply to; then growth, which counts what is there.
create function purge_step(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    done integer := public.settle_threads(batch);
begin
    if done <> 0 then
        return abs(done);
    elsif public.close_growth() then
        return 1;
    end if;
    done := public.purge_expired(batch);
    if done <> 0 then
        return abs(done);
    end if;
    -- Once a minute is enough, as every write makes the cached pages old.
    if exists (select from public.purge_progress where coalesce(finished_at < now() - interval '1 minute', true)) then
        perform public.tidy_growth();
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;
revoke all on function purge_step(integer) from public;

-- A conversation of two people; there is one for each pair, the smaller uuid first.
create table message_groups (
    uuid              uuid        not null default gen_random_uuid(),
    first_user_uuid   uuid        not null,
    second_user_uuid  uuid        not null,
    last_message_at   timestamptz not null default now(),
    created_at        timestamptz not null default now(),
    constraint message_groups_pkey primary key (uuid),
    constraint message_groups_first_user_uuid_fkey foreign key (first_user_uuid) references users (uuid) on delete cascade,
    constraint message_groups_second_user_uuid_fkey foreign key (second_user_uuid) references users (uuid) on delete cascade,
    constraint message_groups_pair_key unique (first_user_uuid, second_user_uuid),
    constraint message_groups_pair_check check (first_user_uuid < second_user_uuid)
);

create index message_groups_first_user_idx on message_groups (first_user_uuid, last_message_at desc, uuid desc);
create index message_groups_second_user_idx on message_groups (second_user_uuid, last_message_at desc, uuid desc);

create table messages (
    uuid               uuid        not null default gen_random_uuid(),
    message_group_uuid uuid        not null,
    user_uuid          uuid        not null, -- who sent it
    message            text        not null,
    created_at         timestamptz not null default now(),
    constraint messages_pkey primary key (uuid),
    constraint messages_message_group_uuid_fkey foreign key (message_group_uuid)
        references message_groups (uuid) on delete cascade,
    constraint messages_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint messages_message_check check (char_length(message) between 1 and 1024)
);

create index messages_group_idx on messages (message_group_uuid, created_at desc, uuid desc);
create index messages_user_idx on messages (user_uuid, created_at desc);

-- Which migrations all this contains, for bin/db-migrate, which so has nothing to do after a load. A change here comes with
-- a migration, and with its line; the last column is what sha256sum says of sql/migrations/NNNN_name.up.sql. The scripts append a
-- blank and the checksum of NNNN_name.down.sql.
create table applied_migrations (
    number     integer     not null,
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default now(),
    constraint applied_migrations_pkey primary key (number)
);

insert into applied_migrations (number, name, checksum) values
    (1, 'week_4', 'ad7b67339866ec7cb8914f8b06c40eefb05b9c83b147ed691a38d404624bcf70'),
    (2, 'cruddur', '47ed4a0415241e4226f919688761ccdbc5e115d319be0b0c396afa80c0f9c52b'),
    (3, 'messages', 'c9f57502e271b2ecbf127a9a03a00a7db1cf3e9f5299d5df876f9752d58b8e5a'),
    (4, 'confirmation', '74158ab0e17e2214cef4691606cc85679722c4b0a1a5bf093250795568fec343'),
    (5, 'indexes', '15e10909419d5a589f356f7cd6659e933bab9fa6adcee50c878e727cc3115462'),
    (6, 'social', '2a57e7259846b8051ce8e343b123920f7e0f30744f3c072a6dab37bbf7b197f1'),
    (7, 'search_growth', 'abba2a085e07428c19ca27aa2cac7ab6a1fecacf59a1eab234f3eff1997b7d58'),
    (8, 'marks', '6035b4b77e296af0a8b6b23c0d786db4be890500262d7dc0d280a0e8d928bbdb'),
    (9, 'case_and_rights', '5e11c188d742a299528ae7e6ee8bd8eb06f5857a6b8aa453b954f022eb5fb73a'),
    (10, 'environment', '78c3c55b9c8ca830b279a2508097dda75b73c2a44d8c3c1cb6843583a9193c17');

-- The mark that the scripts read before they destroy data, whichever URL they were given. One row or none; any name but development
-- and test is guarded.
create table environment (
    name text not null,
    constraint environment_name_check check (name ~ '^[A-Za-z0-9_.-]{1,64}$')
);

create unique index environment_single_key on environment ((true));

-- Rights. The service logs in as a member of cruddur_app, which may do what its statements do and no more, column by column: it
-- reads no e-mail address, makes and renames no user, and says of nothing when it was made. (A column that is set to its own
-- value is how a write says again what it said before.) cruddur_confirmation is for whatever does nothing but make users by
-- confirm_user: the hook has a login of its own. doc/security.md says what a member can still do.
-- A loader that may not create roles gets a NOTICE and a schema that works for its owner.
do $$
declare
    role text;
begin
    foreach role in array array['cruddur_app', 'cruddur_confirmation'] loop
        begin
            if to_regrole(role) is null then
                execute format('create role %I nologin', role);
            end if;
        exception
            when insufficient_privilege then
                raise notice 'role % is missing and may not be created here: nobody has its rights but the owner', role;
            when duplicate_object or unique_violation then
                null; -- another load on this server was faster
        end;
    end loop;
end
$$;

do $$
declare
    administrator name;
begin
    execute format('revoke all on database %I from public', current_database());
    execute format('alter database %I set search_path = public', current_database());
    -- On a server without superuser access (RDS) the administrator's role owns nothing here, and keeps the right to connect.
    for administrator in select rolname from pg_roles where rolcreaterole and not rolsuper loop
        execute format('grant connect on database %I to %I', current_database(), administrator);
    end loop;
exception
    when insufficient_privilege then
        raise notice 'not the owner of database %: its rights and search_path stay as they are', current_database();
end
$$;
revoke all on schema public from public;
-- A script whose role could not read it would have to refuse.
grant select on environment to public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        execute format('grant connect on database %I to cruddur_app', current_database());
        grant usage on schema public to cruddur_app;
        grant select (uuid, display_name, handle, cognito_user_id, bio, created_at) on users to cruddur_app;
        grant update (display_name, bio) on users to cruddur_app;
        grant select on activities to cruddur_app;
        grant insert (uuid, user_uuid, message, reply_to_activity_uuid, expires_at) on activities to cruddur_app;
        grant update (uuid, replies_count, reposts_count, likes_count, expires_at, deleted_at) on activities to cruddur_app;
        grant select, delete on likes, reposts, follows to cruddur_app;
        grant insert (user_uuid, activity_uuid), update (activity_uuid) on likes, reposts to cruddur_app;
        grant insert (follower_uuid, followed_uuid), update (followed_uuid) on follows to cruddur_app;
        grant select on notifications to cruddur_app;
        grant select, insert (user_uuid, read_at), update (read_at) on notification_reads to cruddur_app;
        grant select, insert (uuid, first_user_uuid, second_user_uuid), update (last_message_at) on message_groups to cruddur_app;
        grant select, insert (uuid, message_group_uuid, user_uuid, message), update (uuid) on messages to cruddur_app;
        grant select on growth, growth_closed, purge_progress to cruddur_app;
        grant select (number, name) on applied_migrations to cruddur_app; -- for cruddurd --check
        grant execute on function activity_tags(text), activity_search(text, text[], timestamptz), close_growth(), tidy_growth(), purge_expired(integer), note_purge_end() to cruddur_app;
        grant execute on function fold_case(text), lifetime_key(timestamptz, timestamptz), lifetimes(), may_follow(uuid, uuid, integer) to cruddur_app;
        grant execute on function event_uuid(text, uuid, uuid), take_back(text, uuid, uuid), settle_replies(uuid, integer), settle_threads(integer), purge_step(integer) to cruddur_app;
    end if;
    if to_regrole('cruddur_confirmation') is not null then
        execute format('grant connect on database %I to cruddur_confirmation', current_database());
        grant usage on schema public to cruddur_confirmation;
        grant execute on function confirm_user(uuid, json, text, timestamptz) to cruddur_confirmation;
    end if;
end
$$;

commit;
