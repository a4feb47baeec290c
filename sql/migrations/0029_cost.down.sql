create or replace function full_hour(what text, author uuid, most integer) returns table (retry_after_s integer)
    language plpgsql
    stable
    rows 1
as $$
declare
    nth timestamptz;
begin
    if most = 0 then
        return;
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
            return;
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
    if nth is not null then
        retry_after_s := greatest(ceil(extract(epoch from nth + interval '1 hour' - now())), 1);
        return next;
    end if;
end
$$;
comment on function full_hour(text, uuid, integer) is null;
drop function retry_after_s(text, uuid, integer), has_reposted(uuid, uuid), has_liked(uuid, uuid);

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
    value := replace(lower(normalize(value, nfkc) collate pg_catalog."und-x-icu"), 'ı', 'İ');
    value := replace(lower(replace(upper(value collate pg_catalog."und-x-icu"), 'İ', 'ı') collate pg_catalog."und-x-icu"), 'ς', 'σ');
    return normalize(regexp_replace(value collate pg_catalog."C", '[' || public.invisible_characters() || ']+', '', 'g'), nfkc);
end
$$;

drop function plain_characters();

create or replace function text_words(folded text) returns text[]
    language plpgsql
    immutable
    parallel safe
as $$
begin
    if octet_length(folded) = char_length(folded) then -- ASCII: the same words, without the classes of all scripts
        return string_to_array(btrim(regexp_replace(folded collate pg_catalog."C", '[^a-z0-9]+', ' ', 'g')), ' ');
    end if;
    folded := regexp_replace(folded collate pg_catalog."und-x-icu", '[^[:alnum:]' || public.word_marks() || ']+', ' ', 'g');
    if folded collate pg_catalog."C" ~ ('[' || public.unspaced_characters() || ']') then
        -- <abc>, then <a ab bc c>, then ab bc c
        folded := regexp_replace(folded collate pg_catalog."C", '[' || public.unspaced_characters() || ']+', ' <\&> ', 'g');
        folded := regexp_replace(folded collate pg_catalog."C", '[' || public.unspaced_characters() || ']', '\& \&', 'g');
        folded := translate(regexp_replace(folded collate pg_catalog."C", '<. ', ' ', 'g'), '>', ' ');
        return array_remove(string_to_array(folded, ' '), '');
    end if;
    return string_to_array(btrim(folded), ' ');
end
$$;

create or replace function activity_search(message text, tags text[], created_at timestamptz) returns tsvector
    language plpgsql
    immutable
    parallel safe
as $$
declare
    word        text;
    word_number integer := 0;
    built       text := '';
    second      bigint;
begin
    -- There is no query in here because every insert runs this.
    foreach word in array coalesce(public.text_words(public.fold_text(message)), '{}') loop
        word_number := word_number + 1;
        built := built || left(word, 100) || ':' || word_number || ' ';
    end loop;
    foreach word in array coalesce(tags, '{}') loop
        built := built || word || ' ';
    end loop;
    if isfinite(created_at) then
        second := floor(date_part('epoch', created_at));
        built := built || '''@12:' || (second >> 12) || ''' ''@15:' || (second >> 15)
            || ''' ''@18:' || (second >> 18) || ''' ''@21:' || (second >> 21) || '''';
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
        or (sub is null and u.folded_handle = public.fold_text(name))
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
            or (sub is null and u.folded_handle = public.fold_text(name))
        )
        and u.suspended_at is null
$$;

create or replace function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    if (tg_op = 'INSERT' or new.message <> old.message) and public.is_blank(new.message) then
        raise check_violation using
            message = 'new row for relation "activities" violates check constraint "activities_message_check"',
            constraint = 'activities_message_check';
    end if;
    new.tags := case when new.message ~ '[#\ufe5f\uff03]' then public.activity_tags(new.message) end;
    new.search := public.activity_search(new.message, new.tags, new.created_at);
    return new;
end
$$;

alter table activities
    drop constraint activities_counts_check,
    add constraint activities_message_check check (
        char_length(message) between 1 and case when reply_to_activity_uuid is null then 280 else 1024 end
    ),
    add constraint activities_replies_count_check check (replies_count >= 0),
    add constraint activities_reposts_count_check check (reposts_count >= 0),
    add constraint activities_likes_count_check check (likes_count >= 0),
    add constraint activities_reply_to_itself_check check (reply_to_activity_uuid <> uuid),
    add constraint activities_expires_at_check check (expires_at > created_at or deleted_at is not null or hidden_expires_at is not null);
drop trigger activities_check on activities;
drop function check_activity();

create or replace function replies_page(
    parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer,
    viewer uuid, is_asked boolean, has_hidden boolean
) returns table (list json, next_key text)
    language plpgsql
    stable
    rows 1
as $$
begin
    if not exists (select from public.activities where reply_to_activity_uuid = parent) then
        list := '[]';
        return next;
        return;
    end if;
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
comment on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean) is null;
drop function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean);

create or replace function shown_activity(id uuid, name text, viewer uuid, is_asked boolean) returns table (
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
comment on function shown_activity(uuid, text, uuid, boolean) is null;

create or replace function ancestors(parent uuid, viewer uuid, is_asked boolean) returns json
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

drop function show_activity(uuid, text, uuid, boolean, boolean, bigint, uuid, integer);
drop function viewer_uuid(text, text);

drop trigger activities_growth_late on activities;
create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_growth();
