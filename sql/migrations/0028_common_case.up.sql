-- What most writes and pages need costs less. The words and tags of an ASCII text are found without the classes of characters of all scripts.
-- Whether an author has made too many activities within the hour is one scan, as is the search for a double click. For an activity
-- without replies the plan of a page of them is not started.
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

create or replace function text_without_addresses(message text) returns text
    language plpgsql
    immutable
    parallel safe
as $$
declare
    rest   text;
    domain text;
    spaced text;
begin
    if octet_length(message) > char_length(message) then
        message := translate(message, U&'\200B！＆＊％＄～', '      〜');
    end if;
    message := public.fold_text(message);
    if strpos(message, '/') = 0 and strpos(message, '@') = 0 and strpos(message, 'www.') = 0 then
        return message;
    end if;
    rest := '[^' || public.blank_characters() || '<>"«»“”„‘’、。〈-】〔-〗]*';
    domain := '(?:[[:alnum:]' || public.word_marks() || '-]+\.)+[[:alpha:]]{2,}';
    spaced := '(?![' || public.unspaced_characters() || '])';
    return regexp_replace(
        message collate pg_catalog."und-x-icu",
        '(?:[a-z][a-z0-9+.-]*://|www\.|' || domain || '(?::[0-9]+)?/)' || rest
        || '|' || spaced || '[[:alnum:]](?:(?:' || spaced || '[[:alnum:]_.!$%&''*+=?^{|}~-])*' || spaced || '[[:alnum:]_+-])?@' || domain
        || '|@[a-z0-9_]+(?:[.-][a-z0-9_]+)*@[[:alnum:]](?:[[:alnum:].-]*[[:alnum:]])?',
        '/', 'g'
    );
end
$$;

create or replace function activity_tags(message text) returns text[]
    language plpgsql
    immutable
    parallel safe
    strict
as $$
declare
    word     text;
    part     text;
    is_ascii boolean;
    pieces   text[];
    piece    text;
    tag      text;
    tags     text[];
begin
    message := public.text_without_addresses(message);
    is_ascii := octet_length(message) = char_length(message);
    if is_ascii then -- the same tags, without the classes of all scripts
        pieces := regexp_split_to_array(message collate pg_catalog."C", '(?<![a-z0-9_#&/])#');
    else
        word := '[[:alnum:]_\u05f3' || public.word_marks() || ']'; -- U+05F3 ends an abbreviation
        -- These join two parts of a word: middle dots, a tie, double hyphens, the wave dash, the Hebrew maqaf and gershayim, the tsheg.
        part := '(?:' || word || '|[·\u30fb\u203f\u30a0\u301c\u05be\u05f4\u0f0b](?=' || word || '))*';
        message := regexp_replace(message collate pg_catalog."C", '([' || public.unspaced_characters() || '])#', '\1 #', 'g');
        pieces := regexp_split_to_array(message collate pg_catalog."und-x-icu", '(?<![[:alnum:]_#&/' || public.word_marks() || '])#');
    end if;
    -- There is no query in here because every insert with a "#" runs this.
    foreach piece in array pieces[2:] loop
        if is_ascii then
            tag := '#' || substring(piece collate pg_catalog."C" from '^[a-z0-9_]*[a-z][a-z0-9_]*');
        else
            tag := '#' || substring(piece collate pg_catalog."und-x-icu" from '^(?=' || word || ')' || part || '[[:alpha:]〇]' || part);
        end if;
        if char_length(tag) <= 65 and tag <> all (coalesce(tags, '{}')) then
            tags := tags || tag;
        end if;
    end loop;
    return tags;
end
$$;

create or replace function recent_twin(
    author uuid, parent uuid, text text, lifetime interval, seconds integer, is_locked boolean
) returns uuid
    language plpgsql
as $$
begin
    if parent is not null then
        return (
            select uuid
            from public.activities
            where user_uuid = author
                and (reply_to_activity_uuid is null) is false
                and created_at > now() - seconds * interval '1 second'
                and message = text
                and reply_to_activity_uuid = parent
                and deleted_at is null
            limit 1
        );
    end if;
    return (
        select uuid
        from public.activities
        where user_uuid = author
            and reply_to_activity_uuid is null
            and created_at > now() - seconds * interval '1 second'
            and message = text
            and deleted_at is null
            and coalesce(first_expires_at, expires_at) is not distinct from created_at + lifetime
        limit 1
    );
end
$$;

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

create function replies_page(
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

revoke all on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean) to cruddur_app;
    end if;
end
$$;
