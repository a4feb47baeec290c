create or replace function text_words(folded text) returns text[]
    language plpgsql
    immutable
    parallel safe
as $$
begin
    folded := regexp_replace(folded collate pg_catalog."und-x-icu", '[^[:alnum:]' || public.word_marks() || ']+', ' ', 'g');
    if octet_length(folded) > char_length(folded) and folded collate pg_catalog."C" ~ ('[' || public.unspaced_characters() || ']') then
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
    rest   constant text := '[^' || public.blank_characters() || '<>"«»“”„‘’、。〈-】〔-〗]*';
    domain constant text := '(?:[[:alnum:]' || public.word_marks() || '-]+\.)+[[:alpha:]]{2,}';
    spaced constant text := '(?![' || public.unspaced_characters() || '])';
begin
    message := public.fold_text(translate(message, U&'\200B！＆＊％＄～', '      〜'));
    if strpos(message, '/') = 0 and strpos(message, '@') = 0 and strpos(message, 'www.') = 0 then
        return message;
    end if;
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
    word  constant text := '[[:alnum:]_\u05f3' || public.word_marks() || ']'; -- U+05F3 ends an abbreviation
    -- These join two parts of a word: middle dots, a tie, double hyphens, the wave dash, the Hebrew maqaf and gershayim, the tsheg.
    part  constant text := '(?:' || word || '|[·\u30fb\u203f\u30a0\u301c\u05be\u05f4\u0f0b](?=' || word || '))*';
    piece text;
    tag   text;
    tags  text[];
begin
    message := public.text_without_addresses(message);
    if octet_length(message) > char_length(message) then
        message := regexp_replace(message collate pg_catalog."C", '([' || public.unspaced_characters() || '])#', '\1 #', 'g');
    end if;
    -- There is no query in here because every insert with a "#" runs this.
    foreach piece in array (regexp_split_to_array(message collate pg_catalog."und-x-icu", '(?<![[:alnum:]_#&/' || public.word_marks() || '])#'))[2:] loop
        tag := '#' || substring(piece collate pg_catalog."und-x-icu" from '^(?=' || word || ')' || part || '[[:alpha:]〇]' || part);
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
        from public.user_posts(author, null, null, now() - seconds * interval '1 second', null)
        where message = text
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
    return query
    select greatest(ceil(extract(epoch from nth + interval '1 hour' - now())), 1)::integer
    where nth is not null;
end
$$;

drop function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean);
