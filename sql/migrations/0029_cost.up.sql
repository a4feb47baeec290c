-- Creating and showing an activity cost less. A trigger has most rules of a row: PostgreSQL parses the text of a constraint again for
-- each statement. Whether an author has made too many rows within the hour is a value and no longer a set of rows. A statement that seldom asks
-- for the marks of an activity does not prepare their queries each time; showing one is a few small statements, and only those that it
-- needs. A text is only normalized if it has other characters than most texts, and its words are found in fewer steps. A handle is only
-- folded if there is no token. The functions that templates of version 28 call stay, for a host that is not reloaded yet.
alter table activities
    drop constraint activities_message_check,
    drop constraint activities_replies_count_check,
    drop constraint activities_reposts_count_check,
    drop constraint activities_likes_count_check,
    drop constraint activities_reply_to_itself_check,
    drop constraint activities_expires_at_check,
    -- The next migration validates it: here all writes would wait while the table is read.
    add constraint activities_counts_check check (least(replies_count, reposts_count, likes_count) >= 0) not valid;

create function check_activity() returns trigger
    language plpgsql
as $$
declare
    broken constant text := case
        when new.reply_to_activity_uuid = new.uuid then 'reply_to_itself'
        when new.expires_at <= new.created_at and new.deleted_at is null and new.hidden_expires_at is null then 'expires_at'
        when (tg_op = 'INSERT' or new.message <> old.message)
            and (char_length(new.message) > case when new.reply_to_activity_uuid is null then 280 else 1024 end or public.is_blank(new.message))
            then 'message'
    end;
begin
    if broken is not null then
        raise check_violation using
            message = format('new row for relation "activities" violates check constraint "activities_%s_check"', broken),
            constraint = format('activities_%s_check', broken),
            table = 'activities',
            schema = 'public';
    end if;
    return new;
end
$$;
revoke all on function check_activity() from public;

create trigger activities_check
    before insert or update on activities
    for each row
    execute function check_activity();

create function plain_characters() returns text
    language sql
    immutable
    parallel safe
as $$
    select
        '\u0001-\u007f\u00a1-\u00a7\u00a9\u00ab\u00ae\u00b0-\u00b1\u00b7\u00bb\u00bf-\u00de\u00e0-\u012f\u0134-\u013e\u0141-\u0148'
        '\u014a-\u017e\u0400-\u0481\u048a-\u052f\u05d0-\u05ea\u060c\u061b\u061f\u0621-\u064a\u2010\u2013-\u2014\u2018-\u201e\u2020-\u2022\u20ac'
        '\u2190-\u21ff\u2600-\u27bf\u3001-\u3002\u300c-\u300f\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff\uac00-\ud7a3\U0001f300-\U0001faff'
$$;
revoke all on function plain_characters() from public;

create or replace function fold_text(value text) returns text
    language plpgsql
    immutable
    parallel safe
    strict
as $$
begin
    if octet_length(value) = char_length(value) then
        return lower(value collate pg_catalog."C");
    end if;
    if value collate pg_catalog."C" !~ ('[^' || public.plain_characters() || '\ufe0f]') then
        return lower(replace(value, U&'\FE0F', '') collate pg_catalog."und-x-icu");
    end if;
    value := normalize(value, nfkc);
    value := replace(lower(value collate pg_catalog."und-x-icu"), 'ı', 'İ');
    value := replace(lower(replace(upper(value collate pg_catalog."und-x-icu"), 'İ', 'ı') collate pg_catalog."und-x-icu"), 'ς', 'σ');
    return normalize(regexp_replace(value collate pg_catalog."C", '[' || public.invisible_characters() || ']+', '', 'g'), nfkc);
end
$$;

create or replace function text_words(folded text) returns text[]
    language plpgsql
    immutable
    parallel safe
as $$
begin
    -- Blanks stay as they are: regexp_replace takes the more time the more matches it has.
    if octet_length(folded) = char_length(folded) then -- ASCII: the same words, without the classes of all scripts
        folded := regexp_replace(folded collate pg_catalog."C", '[^a-z0-9 ]+', ' ', 'g');
    else
        folded := regexp_replace(folded collate pg_catalog."und-x-icu", '[^[:alnum:] ' || public.word_marks() || ']+', ' ', 'g');
        if folded collate pg_catalog."C" ~ ('[' || public.unspaced_characters() || ']') then
            -- <abc>, then <a ab bc c>, then ab bc c
            folded := regexp_replace(folded collate pg_catalog."C", '[' || public.unspaced_characters() || ']+', ' <\&> ', 'g');
            folded := regexp_replace(folded collate pg_catalog."C", '[' || public.unspaced_characters() || ']', '\& \&', 'g');
            folded := translate(regexp_replace(folded collate pg_catalog."C", '<. ', ' ', 'g'), '>', ' ');
        end if;
    end if;
    folded := btrim(folded);
    return case when strpos(folded, '  ') = 0 then string_to_array(folded, ' ') else array_remove(string_to_array(folded, ' '), '') end;
end
$$;

create or replace function activity_search(message text, tags text[], created_at timestamptz) returns tsvector
    language plpgsql
    immutable
    parallel safe
as $$
declare
    words  text[] := public.text_words(public.fold_text(message));
    built  text := '';
    second bigint;
begin
    -- There is no query in here because every insert runs this.
    for n in 1 .. coalesce(cardinality(words), 0) loop
        built := concat(built, left(words[n], 100), ':', n, ' ');
    end loop;
    if tags is not null then
        built := concat(built, array_to_string(tags, ' '), ' ');
    end if;
    if isfinite(created_at) then
        second := floor(date_part('epoch', created_at));
        built := concat(built, '''@12:', second >> 12, ''' ''@15:', second >> 15, ''' ''@18:', second >> 18, ''' ''@21:', second >> 21, '''');
    end if;
    return built::tsvector;
end
$$;

create or replace function caller(sub text, name text) returns table (uuid uuid, display_name text, handle text, is_allowed boolean)
    language sql
    stable
    rows 1
as $$
    select u.uuid, u.display_name, u.handle, sub is null or name is null or public.fold_text(u.handle) = public.fold_text(name)
    from public.users u
    where u.cognito_user_id = sub
        or u.folded_handle = case when sub is null then public.fold_text(name) end
$$;

create or replace function writer(sub text, name text) returns table (uuid uuid, display_name text, handle text, is_allowed boolean)
    language sql
    stable
    rows 1
as $$
    select u.uuid, u.display_name, u.handle, sub is null or name is null or public.fold_text(u.handle) = public.fold_text(name)
    from public.users u
    where (
            u.cognito_user_id = sub
            or u.folded_handle = case when sub is null then public.fold_text(name) end
        )
        and u.suspended_at is null
$$;

create or replace function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    new.tags := case when new.message ~ '[#\ufe5f\uff03]' then public.activity_tags(new.message) end;
    new.search := public.activity_search(new.message, new.tags, new.created_at);
    return new;
end
$$;

create function has_liked(viewer uuid, activity uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    return exists (select from public.likes where user_uuid = viewer and activity_uuid = activity);
end
$$;

create function has_reposted(viewer uuid, activity uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    return exists (select from public.reposts where user_uuid = viewer and activity_uuid = activity);
end
$$;
revoke all on function has_liked(uuid, uuid), has_reposted(uuid, uuid) from public;

drop trigger activities_growth_late on activities;
create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at <> now())
    execute function note_growth();

create function retry_after_s(what text, author uuid, most integer) returns integer
    language plpgsql
    stable
as $$
declare
    nth timestamptz;
begin
    if most = 0 then
        return null;
    elsif what = 'activities' then
        -- Few authors have so many. A condition on the index's second column that names both of its values makes one scan of two ranges.
        perform
        from public.activities
        where user_uuid = author
            and (reply_to_activity_uuid is null) = any ('{true,false}')
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        offset most - 1
        limit 1;
        if not found then
            return null;
        end if;
        nth := (
            select created_at
            from (
                select user_uuid, created_at from public.activities where reply_to_activity_uuid is null
                union all
                select user_uuid, created_at from public.activities where (reply_to_activity_uuid is null) is false
            ) made
            where user_uuid = author
                and created_at > now() - interval '1 hour'
                and created_at <= now()
            order by created_at desc
            offset most - 1
            limit 1
        );
    elsif what = 'messages' then
        nth := (
            select created_at
            from public.messages
            where user_uuid = author
                and created_at > now() - interval '1 hour'
                and created_at <= now() + interval '2 seconds' -- see place_message
            order by created_at desc
            offset most - 1
            limit 1
        );
    else
        nth := (
            select created_at
            from public.reports
            where reporter_uuid = author
                and created_at > now() - interval '1 hour'
                and created_at <= now()
            order by created_at desc
            offset most - 1
            limit 1
        );
    end if;
    return case when nth is not null then greatest(ceil(extract(epoch from nth + interval '1 hour' - now())), 1) end;
end
$$;
revoke all on function retry_after_s(text, uuid, integer) from public;

create or replace function full_hour(what text, author uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select wait_s from public.retry_after_s(what, author, most) wait_s where wait_s is not null
$$;
comment on function full_hour(text, uuid, integer) is 'deprecated: retry_after_s';

create function viewer_uuid(sub text, name text) returns uuid
    language plpgsql
    stable
as $$
begin
    if sub is null and name is null then
        return null;
    end if;
    return (select caller.uuid from public.caller(sub, name) caller);
end
$$;
revoke all on function viewer_uuid(text, text) from public;

create function replies_page(
    parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer,
    viewer uuid, is_asked boolean
) returns table (list json, next_key text)
    language plpgsql
    stable
    rows 1
as $$
declare
    has_hidden boolean;
begin
    has_hidden := viewer is not null and public.has_hidden(viewer);
    return query
    select coalesce(json_agg(reply), '[]'), public.page_key((array_agg(reply.created_at))[most], (array_agg(reply.uuid))[most])
    from (
        select card.*, marks.*, '[]'::json as replies
        from public.replies(parent, is_newest, after_us, after_uuid, most, viewer, has_hidden) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral public.card(a, u.display_name, u.handle) card
        cross join lateral public.marks(viewer, is_asked, a.uuid) marks
    ) reply;
end
$$;
revoke all on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean) from public;

create or replace function replies_page(
    parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer,
    viewer uuid, is_asked boolean, has_hidden boolean
) returns table (list json, next_key text)
    language sql
    stable
    rows 1
as $$
    select list, next_key from public.replies_page(parent, is_newest, after_us, after_uuid, most, viewer, is_asked)
$$;
comment on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean) is 'deprecated: without has_hidden';

create or replace function ancestors(parent uuid, viewer uuid, is_asked boolean) returns json
    language plpgsql
    stable
as $$
declare
    above  record;
    bodies json[] := '{}';
begin
    for height in 1 .. 100 loop
        select
            a.reply_to_activity_uuid as parent,
            case
                when not public.is_blocked(viewer, a.user_uuid) then
                    (
                        select row_to_json(shown)
                        from (
                            select card.*, marks.*, '[]'::json as replies
                            from public.card(a, u.display_name, u.handle) card
                            cross join lateral public.marks(viewer, is_asked, a.uuid) marks
                        ) shown
                    )
            end as body
        into above
        from public.activity(parent) a
        cross join lateral public.author(a.user_uuid) u
        where public.is_live(a.expires_at);
        exit when not found;
        if above.body is not null then
            bodies := above.body || bodies;
        end if;
        exit when above.parent is null;
        parent := above.parent;
    end loop;
    return array_to_json(bodies);
end
$$;

create function show_activity(
    id uuid, name text, viewer uuid, is_asked boolean, is_newest boolean, after_us bigint, after_uuid uuid, most integer
) returns table (body json, next_key text)
    language plpgsql
    stable
    rows 1
as $$
declare
    has_liked    boolean := case when is_asked then false end;
    has_reposted boolean := has_liked;
    has_replies  boolean := false;
    shown        json;
    parent       uuid;
    list         json := '[]';
    told         record;
begin
    if viewer is not null then
        select marks.liked, marks.reposted into has_liked, has_reposted from public.marks(viewer, true, id) marks;
    end if;
    select row_to_json(live), live.reply_to_activity_uuid, exists (select from public.activities where reply_to_activity_uuid = live.uuid)
    into shown, parent, has_replies
    from (
        select card.*, has_liked as liked, has_reposted as reposted
        from public.activity(id) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral public.card(a, u.display_name, u.handle) card
        where public.is_live(a.expires_at)
            and (viewer is null or not public.is_blocked(viewer, a.user_uuid))
            and (name is null or public.fold_text(u.handle) = public.fold_text(name))
    ) live;
    if shown is null then
        select n.uuid, n.kind, n.activity_uuid, n.created_at, actor.display_name, actor.handle
        into told
        from public.notifications n
        cross join lateral public.author(n.actor_uuid) actor
        where n.uuid = id
            and n.kind in ('like', 'repost', 'follow')
            and (name is null or public.fold_text(actor.handle) = public.fold_text(name));
        if told.activity_uuid is not null then
            return query
            select * from public.show_activity(told.activity_uuid, null, viewer, is_asked, is_newest, after_us, after_uuid, most);
        end if;
        if told.kind is distinct from 'follow' then
            return;
        end if;
        shown := json_build_object(
            'uuid', told.uuid, 'display_name', told.display_name, 'handle', told.handle, 'message', 'follows you', 'replies_count', 0,
            'reposts_count', 0, 'likes_count', 0, 'reply_to_activity_uuid', null, 'expires_at', null, 'created_at', told.created_at,
            'liked', has_liked, 'reposted', has_reposted
        );
    elsif has_replies then
        select page.list, page.next_key into list, next_key
        from public.replies_page(id, is_newest, after_us, after_uuid, most, viewer, is_asked) page;
    end if;
    if parent is null then
        body := json_build_object('activity', shown, 'replies', list);
    else
        body := json_build_object('activity', shown, 'ancestors', public.ancestors(parent, viewer, is_asked), 'replies', list);
    end if;
    return next;
end
$$;
revoke all on function show_activity(uuid, text, uuid, boolean, boolean, bigint, uuid, integer) from public;

create or replace function shown_activity(id uuid, name text, viewer uuid, is_asked boolean) returns table (
    uuid uuid, display_name text, handle text, message text, replies_count integer, reposts_count integer, likes_count integer,
    reply_to_activity_uuid uuid, expires_at timestamptz, created_at timestamptz, liked boolean, reposted boolean
)
    language sql
    stable
    rows 1
as $$
    select activity.*
    from public.show_activity(id, name, viewer, is_asked, false, null, null, 0) shown
    cross join lateral json_to_record(shown.body -> 'activity') as activity (
        uuid uuid, display_name text, handle text, message text, replies_count integer, reposts_count integer, likes_count integer,
        reply_to_activity_uuid uuid, expires_at timestamptz, created_at timestamptz, liked boolean, reposted boolean
    )
$$;
comment on function shown_activity(uuid, text, uuid, boolean) is 'deprecated: show_activity';

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function plain_characters(), has_liked(uuid, uuid), has_reposted(uuid, uuid), retry_after_s(text, uuid, integer),
            viewer_uuid(text, text), replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean),
            show_activity(uuid, text, uuid, boolean, boolean, bigint, uuid, integer) to cruddur_app;
    end if;
end
$$;
