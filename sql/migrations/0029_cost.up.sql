-- A new activity costs less. The checks of its counts are one, and the limit of a post is in the trigger: PostgreSQL parses the expression
-- of each constraint again for each statement. Whether an author has made too many rows within the hour is a value and no longer a set of
-- rows. A statement that seldom asks for the marks of an activity does not prepare their queries each time. A text is only normalized if it is
-- not normal. The users that are hidden from a viewer are only looked up for an activity that has replies.
alter table activities
    drop constraint activities_message_check,
    drop constraint activities_replies_count_check,
    drop constraint activities_reposts_count_check,
    drop constraint activities_likes_count_check;
alter table activities
    add constraint activities_message_check check (char_length(message) <= 1024),
    add constraint activities_counts_check check (least(replies_count, reposts_count, likes_count) >= 0);

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
    if value is not nfkc normalized then -- seldom; the question takes a fifth of the time
        value := normalize(value, nfkc);
    end if;
    value := replace(lower(value collate pg_catalog."und-x-icu"), 'ı', 'İ');
    value := replace(lower(replace(upper(value collate pg_catalog."und-x-icu"), 'İ', 'ı') collate pg_catalog."und-x-icu"), 'ς', 'σ');
    value := regexp_replace(value collate pg_catalog."C", '[' || public.invisible_characters() || ']+', '', 'g');
    if value is not nfkc normalized then
        value := normalize(value, nfkc);
    end if;
    return value;
end
$$;

create or replace function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    if
        (tg_op = 'INSERT' or new.message <> old.message)
        and (public.is_blank(new.message) or (new.reply_to_activity_uuid is null and char_length(new.message) > 280))
    then
        raise check_violation using
            message = 'new row for relation "activities" violates check constraint "activities_message_check"',
            constraint = 'activities_message_check';
    end if;
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

drop function full_hour(text, uuid, integer);
create function full_hour(what text, author uuid, most integer) returns integer
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
revoke all on function full_hour(text, uuid, integer) from public;

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

drop function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean);
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
    if not exists (select from public.activities where reply_to_activity_uuid = parent) then
        list := '[]';
        return next;
        return;
    end if;
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

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function has_liked(uuid, uuid), has_reposted(uuid, uuid), full_hour(text, uuid, integer), viewer_uuid(text, text),
            replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean) to cruddur_app;
    end if;
end
$$;
