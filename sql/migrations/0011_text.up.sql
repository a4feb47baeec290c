-- Handles, tags, mentions and words by Unicode's data, in every script. Old handles stay; the purge renews the tags and search vectors
-- of old activities in batches.

-- Text. These functions define which texts are equal, and which words, tags and mentions a text has. They use Unicode's data and
-- never the database's locale: normalize(), the collation und-x-icu, which every server with ICU has, and the ranges below. Text is
-- stored unchanged. The rules are in doc/architecture.md; tests/http/test_texts.py compares the ranges with Unicode's data.

-- The next five functions return ranges for bracket expressions. A range may include unassigned code points, and code points that
-- do not occur where the range is used.

-- Combining marks (Mn, Mc), letter numbers (Nl), and digits outside Nd. Together with [[:alnum:]] of und-x-icu they are the
-- characters of words: XID_Continue of UAX #31 without connectors.
create function word_marks() returns text
    language sql
    immutable
    parallel safe
as $$
    select
        '\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670'
        '\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711-\u074a\u07a6-\u07f3\u07fd\u0816-\u082d\u0859-\u085b\u0898-\u08e1'
        '\u08e3-\u0963\u0981-\u09e3\u09fe-\u0a75\u0a81-\u0ae3\u0afa-\u0b63\u0b82-\u0bd7\u0c00-\u0c63\u0c81-\u0c83'
        '\u0cbc-\u0d4d\u0d57\u0d62-\u0d63\u0d81-\u0d83\u0dca-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd\u0f18-\u0f19'
        '\u0f35\u0f37\u0f39\u0f3e-\u0f84\u0f86-\u0fbc\u0fc6\u102b-\u103e\u1056-\u109d\u135d-\u135f\u1369-\u1371'
        '\u16ee-\u1734\u1752-\u17d3\u17dd\u180b-\u180d\u180f\u1885-\u18a9\u1920-\u193b\u19da\u1a17-\u1a1b\u1a55-\u1a7f'
        '\u1ab0-\u1abd\u1abf-\u1b44\u1b6b-\u1b73\u1b80-\u1bf3\u1c24-\u1c37\u1cd0-\u1cd2\u1cd4-\u1cf9\u1dc0-\u1dff'
        '\u20d0-\u20dc\u20e1\u20e5-\u20f0\u2160-\u2188\u2cef-\u2cf1\u2d7f\u2de0-\u2dff\u3007\u3021-\u302f\u3038-\u303a'
        '\u3099-\u309a\ua66f\ua674-\ua67d\ua69e-\ua69f\ua6e6-\ua6f1\ua802-\ua827\ua82c\ua880-\ua8c5\ua8e0-\ua8f1'
        '\ua8ff-\ua92d\ua947-\ua953\ua980-\ua9c0\ua9e5\uaa29-\uaa4d\uaa7b-\uaac1\uaaeb-\uaaef\uaaf5-\uaaf6\uabe3-\uabea'
        '\uabec-\uabed\ufb1e\ufe00-\ufe0f\ufe20-\ufe2f\U00010140-\U00010174\U000101fd\U000102e0\U00010341-\U0001037a'
        '\U000103d1-\U000103d5\U00010a01-\U00010a3f\U00010ae5-\U00010ae6\U00010d24-\U00010d27\U00010eab-\U00010eac'
        '\U00010f46-\U00010f50\U00010f82-\U00010f85\U00011000-\U00011046\U00011070-\U000110ba\U000110c2'
        '\U00011100-\U00011134\U00011145-\U00011173\U00011180-\U000111c0\U000111c9-\U000111cc\U000111ce-\U000111cf'
        '\U0001122c-\U00011237\U0001123e\U000112df-\U00011374\U00011435-\U00011446\U0001145e\U000114b0-\U000114c3'
        '\U000115af-\U000115c0\U000115dc-\U000115dd\U00011630-\U00011640\U000116ab-\U000116b7\U0001171d-\U0001172b'
        '\U0001182c-\U0001183a\U00011930-\U00011943\U000119d1-\U000119e0\U000119e4-\U00011a3e\U00011a47-\U00011a99'
        '\U00011c2f-\U00011c3f\U00011c92-\U00011cb6\U00011d31-\U00011d47\U00011d8a-\U00011d97\U00011ef3-\U00011ef6'
        '\U00012400-\U0001246e\U00016af0-\U00016af4\U00016b30-\U00016b36\U00016f4f-\U00016f92\U00016fe4-\U00016ff1'
        '\U0001bc9d-\U0001bc9e\U0001cf00-\U0001cf46\U0001d165-\U0001d169\U0001d16d-\U0001d172\U0001d17b-\U0001d182'
        '\U0001d185-\U0001d18b\U0001d1aa-\U0001d1ad\U0001d242-\U0001d244\U0001da00-\U0001da36\U0001da3b-\U0001da6c'
        '\U0001da75\U0001da84\U0001da9b-\U0001daaf\U0001e000-\U0001e02a\U0001e130-\U0001e136\U0001e2ae-\U0001e2ef'
        '\U0001e8d0-\U0001e8d6\U0001e944-\U0001e94a\U000e0100-\U000e01ef'
$$;

-- Characters of words in scripts that put no blanks between words.
create function unspaced_characters() returns text
    language sql
    immutable
    parallel safe
as $$
    select
        '\u0e01-\u0e4e\u0e81-\u0ecd\u0edc-\u0f19\u0f35-\u103f\u1050-\u108f\u109a-\u109d\u1780-\u17dd\u1950-\u19c9'
        '\u1a20-\u1a7f\u1aa7\u1b00-\u1b4c\u1b6b-\u1b73\u3005-\u302d\u3031-\u312f\u31a0-\u31ff\u3400-\ua48c\ua980-\ua9cf'
        '\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaadd\uf900-\ufad9\uff66-\uff9f\U00011700-\U0001172b\U00011740-\U00011746'
        '\U00016fe0-\U00018d08\U0001aff0-\U0001b2fb\U00020000-\U0002ebe0\U0002f800-\U0002fa1d\U00030000-\U0003ffff'
$$;

-- The lower-case letters of the Latin script, and the ASCII digits.
create function latin_characters() returns text
    language sql
    immutable
    parallel safe
as $$
    select
        '0-9a-z'
        '\u00aa\u00ba\u00c0-\u02af\u1d00-\u1dbf\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\uab30-\uab64'
$$;

-- Default_Ignorable_Code_Point.
create function invisible_characters() returns text
    language sql
    immutable
    parallel safe
as $$
    select
        '\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164'
        '\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff'
$$;

-- White_Space, controls, and the Braille pattern without dots.
create function blank_characters() returns text
    language sql
    immutable
    parallel safe
as $$
    select
        '\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028-\u2029\u202f\u205f\u2800\u3000'
$$;

-- Whether a text has no visible character. src/base/utf8.c has the same ranges.
create function is_blank(value text) returns boolean
    language sql
    immutable
    parallel safe
as $$
    select value collate pg_catalog."C" !~ ('[^' || public.blank_characters() || public.invisible_characters() || ']')
$$;

-- The form in which texts are compared: Unicode's toNFKC_Casefold. Case, width, composition and invisible characters make no
-- difference. upper() turns ß into SS before lower() is applied. It would also turn the dotless ı into I; replace() prevents this.
create function fold_text(value text) returns text
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

-- Whether a new user may have this handle. The folded handle has 1 to 64 code points: characters of words, "_", "." and "-". It
-- starts with a letter, a digit or "_", does not end with "." or "-", and has a letter or a digit. No character is invisible. A
-- mention can therefore name every such handle. This is the profile UsernameCaseMapped of RFC 8265 without joiners and without
-- other punctuation.
create function is_handle(value text) returns boolean
    language sql
    immutable
    parallel safe
as $$
    select
        value collate pg_catalog."C" !~ ('[' || public.invisible_characters() || ']')
        and char_length(public.fold_text(value)) <= 64
        and public.fold_text(value) collate pg_catalog."und-x-icu"
            ~ ('^[[:alnum:]_](?:[[:alnum:]_.' || public.word_marks() || '-]*[[:alnum:]_' || public.word_marks() || '])?$')
        and public.fold_text(value) collate pg_catalog."und-x-icu" ~ '[[:alnum:]]'
$$;

-- The words of a folded text in order: runs of letters, digits and marks. A run in a script without blanks is cut into each pair of
-- neighbouring characters, followed by its last character alone.
create function text_words(folded text) returns text[]
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

-- The folded message with "/" in place of each URL, e-mail address and address such as @name@host: these contain no tags and no
-- mentions. A zero width space counts as a blank, so it ends a tag. So do full-width signs, which folding would make part of an
-- address. A full-width tilde counts as a wave dash, which joins two parts of a tag.
create function text_without_addresses(message text) returns text
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

-- The tags of a message, folded, without duplicates; null if there are none. A tag is "#" and a hashtag identifier of UAX #31 of at
-- most 64 code points with at least one letter. "#" starts no tag directly behind "_", "#", "&", "/" or a word, except a word in a
-- script without blanks.
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

-- The search vector of an activity: its words (the first 100 code points of each), its tags, and the time of its creation as
-- '@k:n', the n-th period of 2^k seconds since 1970. sql/activities/search.sql uses the periods to restrict a search to new
-- activities. No word starts with "@" or "#" or contains a character with a meaning in the syntax of tsvector.
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

-- A query for the words side by side. is_start: the last word is a prefix. is_loose: the words in any order, without prefixes of
-- one character, for which the index would return too many rows; null if no word is left.
create function phrase_query(words text[], is_start boolean, is_loose boolean) returns tsquery
    language plpgsql
    immutable
    parallel safe
as $$
declare
    one      constant text := '^[' || public.unspaced_characters() || ']$';
    is_short boolean;
    lexeme   tsquery;
    phrase   tsquery;
    last     integer;
begin
    for n in 1..cardinality(words) loop
        is_short := words[n] collate pg_catalog."C" ~ one;
        -- The last character of a run is in the pair before it. A single character matches the start of any pair.
        continue when is_short and words[n - 1] like '_' || words[n];
        is_short := is_short or (is_start and n = cardinality(words));
        continue when is_loose and is_short and char_length(words[n]) = 1;
        lexeme := (left(words[n], 100) || case when is_short then ':*' else '' end)::tsquery;
        phrase := case
            when phrase is null then lexeme
            when is_loose then phrase && lexeme
            else tsquery_phrase(phrase, lexeme, n - last)
        end;
        last := n;
    end loop;
    return phrase;
end
$$;

-- The conjunction of the queries; neighbours that are joined by "or" form a disjunction. Disjunctions with a null are left out.
create function joined_query(queries tsquery[], is_ored boolean[]) returns tsquery
    language plpgsql
    immutable
    parallel safe
as $$
declare
    either tsquery;
    whole  tsquery;
begin
    for n in 1..cardinality(queries) loop
        either := case when is_ored[n] then either || queries[n] else queries[n] end;
        if is_ored[n + 1] is not true then
            whole := coalesce(whole && either, either, whole);
        end if;
    end loop;
    return whole;
end
$$;

-- Parses the term of a search.
-- fit: matches the activities that are found. whole: like fit, but the last word is no prefix. loose: the query for the index, which
-- returns all that fit finds and possibly more; null if the index cannot be used. handle: the prefix of the author's handle, folded.
-- plain: the text to look for unchanged if the term has no word and no tag.
-- In a term, "two words" are a phrase, -word excludes, and "or" stands between alternatives. The words of a piece between blanks,
-- such as TCP/IP, are a phrase too. The last word is a prefix unless it is quoted, excluded, or behind "or". Only the first 32 words
-- count, because each is looked for in thousands of rows.
create function search_query(
    term text, out handle text, out fit tsquery, out whole tsquery, out loose tsquery, out plain text
)
    language plpgsql
    immutable
    parallel safe
as $$
declare
    room        integer := 32;
    piece       text[];
    words       text[];
    tags        text[];
    is_not      boolean;
    is_or       boolean := false; -- the next piece is joined to the last one
    wholes      tsquery[] := '{}'; -- of each piece
    looses      tsquery[] := '{}';
    is_ored     boolean[] := '{}';
    start       integer; -- the piece whose last word is a prefix; null: none
    start_words text[];
begin
    for piece in
        select regexp_matches(
            translate(public.fold_text(term), '“”„', '"""') collate pg_catalog."C",
            '(-*)"([^"]*)"?|([^"' || public.blank_characters() || ']+)', 'g'
        )
    loop
        if piece[3] = 'or' then
            is_or := wholes <> '{}';
            start := null;
            continue;
        elsif handle is null and piece[3] like '@_%' then
            handle := substr(piece[3], 2);
            continue;
        end if;
        tags := case when piece[3] like '#%' then public.activity_tags(piece[3]) end;
        words := coalesce(tags, public.text_words(coalesce(piece[2], piece[3])));
        continue when words = '{}';
        if cardinality(words) > room then
            start := null;
            words := words[:room];
            exit when room = 0;
        elsif tags is null then
            start := case when piece[3] not like '-%' and not is_or then cardinality(wholes) + 1 end;
            start_words := words;
        end if;
        room := room - cardinality(words);
        is_not := tags is null and coalesce(piece[3] like '-%', piece[1] <> '');
        wholes := wholes || case when is_not then !! public.phrase_query(words, false, false) else public.phrase_query(words, false, false) end;
        looses := looses || case
            when not is_not then public.phrase_query(words, false, true)
            when cardinality(words) = 1 then !! public.phrase_query(words, false, true)
        end;
        is_ored := is_ored || is_or;
        is_or := false;
    end loop;

    whole := public.joined_query(wholes, is_ored);
    if start is not null then
        wholes[start] := public.phrase_query(start_words, true, false);
        looses[start] := public.phrase_query(start_words, true, true);
    end if;
    fit := public.joined_query(wholes, is_ored);
    loose := public.joined_query(looses, is_ored);
    if querytree(loose) in ('', 'T') then
        loose := null;
    end if;
    if fit is null then
        -- Variation selectors make no difference: an emoji is found in both of its forms.
        plain := translate(term, U&'\FE0E\FE0F', '');
        plain := case when handle is not null then regexp_replace(plain, '[@\uff20\ufe6b][^' || public.blank_characters() || ']+', '') else plain end;
        plain := nullif(btrim(regexp_replace(plain collate pg_catalog."C", '[' || public.blank_characters() || ']+', ' ', 'g')), '');
    end if;
end
$$;
revoke all on function word_marks(), unspaced_characters(), latin_characters(), invisible_characters(),
    blank_characters(), is_blank(text), fold_text(text), is_handle(text), text_words(text),
    text_without_addresses(text), activity_tags(text), activity_search(text, text[], timestamptz),
    phrase_query(text[], boolean, boolean), joined_query(tsquery[], boolean[]), search_query(text) from public;

-- Where handles of several users are equal by the new rule, the oldest user is found by it; see set_folded_handle.
alter table users disable trigger users_updated_at;
alter table users add column folded_handle text collate "C";
update users u
set folded_handle = case when number = 1 then folded else folded || ' ' || u.uuid end
from (
    select uuid, fold_text(handle) as folded, row_number() over (partition by fold_text(handle) order by created_at, uuid) as number
    from users
) named
where u.uuid = named.uuid;
alter table users enable trigger users_updated_at;
alter table users alter column folded_handle set not null;
drop index users_handle_key, users_handle_prefix_idx, users_email_key;
create unique index users_handle_key on users (folded_handle);
create unique index users_email_key on users (lower(email collate "und-x-icu"));

-- Refuses new names and handles that break the rules; names and handles that are older than the rules stay. The insert of a user
-- who exists already is not checked: a repeated event of the hook inserts first and becomes an update by its conflict clause.
-- Two handles from before migration 0011 can be equal by fold_text. Both stay, but only the older user is found by it: the other
-- user's folded_handle ends with a blank and the user's uuid.
create function set_folded_handle() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    is_new_name   boolean := tg_op = 'INSERT' or new.display_name <> old.display_name;
    is_new_handle boolean := tg_op = 'INSERT' or new.handle <> old.handle;
    broken        text;
begin
    -- A name is one line, without the controls of UAX #9 that change the order of the text behind it.
    if
        is_new_name
        and (public.is_blank(new.display_name) or new.display_name ~ '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]')
    then
        broken := 'users_display_name_check';
    elsif is_new_handle and not public.is_handle(new.handle) then
        broken := 'users_handle_check';
    end if;
    if
        broken is not null
        and (tg_op = 'UPDATE' or not exists (select from public.users where cognito_user_id = new.cognito_user_id))
    then
        raise check_violation using
            message = format('new row for relation "users" violates check constraint "%s"', broken), constraint = broken;
    end if;
    new.folded_handle := case when is_new_handle then public.fold_text(new.handle) else old.folded_handle end;
    return new;
end
$$;
revoke all on function set_folded_handle() from public;

create trigger users_folded_handle
    before insert or update of display_name, handle, folded_handle on users
    for each row
    execute function set_folded_handle();

create or replace function confirm_user(new_uuid uuid, event json, pool text, event_time timestamptz default null) returns text
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
                        case
                            when char_length(full_name) > 255 then 'display_name_exceed_max_chars'
                            when public.is_blank(full_name) then 'display_name_blank'
                            else 'display_name_invalid'
                        end
                end;
            when unique_violation then
                if exists (select from public.users where folded_handle = public.fold_text(username) and cognito_user_id <> subject) then
                    return 'handle_taken';
                elsif exists (
                    select
                    from public.users
                    where lower(email collate "und-x-icu") = lower(address collate "und-x-icu")
                        and cognito_user_id <> subject
                ) then
                    return 'email_taken';
                end if;
                -- Neither: another delivery of this event has just made the row, or whoever had the name has just gone.
        end;
    end loop;
    raise unique_violation using message = 'a user with this uuid, handle or e-mail comes and goes';
end
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

-- The users that a message mentions, at most ten, in the order of the message. A mention is "@" and the longest existing handle
-- that the text behind "@" starts with and that ends at the end of a word. A word also ends between Latin and another script, and
-- behind each character of a script without blanks. It continues behind "." and "-" if a letter, a digit or "_" follows. "@" starts
-- no mention directly behind a Latin word or one of _!#$%&*@/, as in an address.
create or replace function mentioned_users(message text) returns setof uuid
    language plpgsql
    stable
    rows 10
    set search_path = pg_catalog, pg_temp
    set jit = off -- the planner's estimate of a thousand rows per series would start it
as $$
begin
    return query
    with names as (
        select number, substring(piece collate "C" from '^[^' || public.blank_characters() || '/@]{1,65}') as name
        from regexp_split_to_table(
            public.text_without_addresses(message) collate "C", '(?<![_@/!#$%&*\u0300-\u036f' || public.latin_characters() || '])@'
        ) with ordinality pieces (piece, number)
        where number > 1
    )
    select found.uuid
    from (
        select min(number) as number, name
        from names
        where name <> ''
        group by name
    ) different
    cross join lateral (
        select u.uuid
        from generate_series(1, least(char_length(name), 64)) n
        cross join lateral (select uuid from public.users where folded_handle = left(name, n) limit 1) u
        where substr(name, n, 3) collate "und-x-icu" !~ (
            '^(?:.(?:[0-9_]|(?![[:alpha:]])[' || public.word_marks() || '])'
            || '|[_\u0300-\u036f' || public.latin_characters() || '][' || public.latin_characters() || ']'
            || '|(?![' || public.latin_characters() || public.unspaced_characters() || '])[[:alnum:]' || public.word_marks() || ']'
            || '(?![' || public.latin_characters() || public.unspaced_characters() || '])[[:alpha:]]'
            || '|.[.-](?![' || public.unspaced_characters() || '])[[:alnum:]_]'
            || '|[^[:alnum:]_' || public.word_marks() || '].)'
        )
        order by n desc
        limit 1
    ) found
    group by found.uuid
    order by min(different.number)
    limit 10;
end
$$;

create or replace function tell_of_activity() returns trigger
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
        where new.message ~ '[@\ufe6b\uff20]'
            and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
    ) told
    where told.uuid <> new.user_uuid;
    return null;
end
$$;

drop trigger activities_tell on activities;
create trigger activities_tell
    after insert on activities
    for each row
    when (new.reply_to_activity_uuid is not null or new.message ~ '[@\ufe6b\uff20]')
    execute function tell_of_activity();

-- Refuses new blank messages, as set_activity_search does. is_blank is not in the trigger's WHEN clause, which is planned again for
-- each statement.
create function refuse_blank_message() returns trigger
    language plpgsql
as $$
begin
    if public.is_blank(new.message) then
        raise check_violation using
            message = 'new row for relation "messages" violates check constraint "messages_message_check"',
            constraint = 'messages_message_check';
    end if;
    return new;
end
$$;
revoke all on function refuse_blank_message() from public;

create trigger messages_blank
    before insert or update of message on messages
    for each row
    execute function refuse_blank_message();

-- How far renew_activities has come: activities before this position may have tags and search vectors by the functions of an older
-- schema. There is no row once all are renewed, and none in a new database.
create table outdated_activities (
    is_it      boolean     not null default true,
    created_at timestamptz not null,
    uuid       uuid        not null,
    constraint outdated_activities_pkey primary key (is_it),
    constraint outdated_activities_is_it_check check (is_it)
);

-- Checks the next "batch" activities, from new to old, and writes those whose tags or search vector differ from what the functions
-- return now. Returns how many it checked. Rows are locked from old to new, so that a parent is locked before its replies, as
-- everywhere.
create function renew_activities(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    reached public.outdated_activities;
    older   uuid[];
begin
    select * into reached from public.outdated_activities for update;
    if reached is null then
        return 0;
    end if;
    older := array(
        select uuid
        from public.activities
        where (created_at, uuid) < (reached.created_at, reached.uuid)
        order by created_at desc, uuid desc
        limit batch
    );
    perform from public.activities where uuid = any (older) order by created_at, uuid for no key update;
    update public.activities
    set search = ''
    where uuid = any (older)
        and search <> public.activity_search(message, public.activity_tags(message), created_at);
    if cardinality(older) < batch then
        delete from public.outdated_activities;
    else
        update public.outdated_activities o
        set created_at = a.created_at, uuid = a.uuid
        from public.activities a
        where a.uuid = older[batch];
    end if;
    return greatest(cardinality(older), 1);
end
$$;
revoke all on function renew_activities(integer) from public;

insert into outdated_activities (created_at, uuid)
select 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
where exists (select from activities);

create or replace function purge_step(batch integer) returns integer
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
    if done = 0 then
        done := public.renew_activities(batch);
    end if;
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

drop function fold_case(text);

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select (folded_handle) on users to cruddur_app;
        grant execute on function word_marks(), unspaced_characters(), latin_characters(), invisible_characters(),
            blank_characters(), is_blank(text), fold_text(text), is_handle(text), text_words(text),
            text_without_addresses(text), activity_tags(text), activity_search(text, text[], timestamptz),
            phrase_query(text[], boolean, boolean), joined_query(tsquery[], boolean[]), search_query(text) to cruddur_app;
        grant execute on function renew_activities(integer) to cruddur_app;
    end if;
end
$$;
