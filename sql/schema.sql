-- The tables of a NEW database (PostgreSQL 15 or later with ICU, no extension). Loaded by bin/db-schema-load, or by hand with
-- psql. Either everything is loaded or nothing: if a table exists already, the load stops and changes nothing.
\set ON_ERROR_STOP on
begin;
set local search_path = public, pg_temp;

-- Text. These functions define which texts are equal, and which words, tags and mentions a text has. They use Unicode's data and
-- never the database's locale: normalize(), the collation und-x-icu, which every server with ICU has, and the ranges below. Text is
-- stored unchanged. The rules are in doc/architecture.md; tests/http/test_texts.py compares the ranges with Unicode's data.

-- The next six functions return ranges for bracket expressions. A range may include unassigned code points, and code points that
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

-- Characters of which fold_text changes no more than the case, whatever characters are beside them: none has another normal form, is a
-- mark, or composes with a character before it. The ranges have not all such characters, but those of most texts: ASCII, Latin,
-- Cyrillic, Hebrew and Arabic letters, punctuation, symbols and emoji, kana, ideographs, Hangul. Greek is not among them because its
-- lower-case sigma depends on the position in the word.
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
    if value collate pg_catalog."C" !~ ('[^' || public.plain_characters() || '\ufe0f]') then
        return lower(replace(value, U&'\FE0F', '') collate pg_catalog."und-x-icu");
    end if;
    value := normalize(value, nfkc);
    value := replace(lower(value collate pg_catalog."und-x-icu"), 'ı', 'İ');
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

-- The folded message with "/" in place of each URL, e-mail address and address such as @name@host: these contain no tags and no
-- mentions. A zero width space counts as a blank, so it ends a tag. So do full-width signs, which folding would make part of an
-- address. A full-width tilde counts as a wave dash, which joins two parts of a tag.
create function text_without_addresses(message text) returns text
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

-- The tags of a message, folded, without duplicates; null if there are none. A tag is "#" and a hashtag identifier of UAX #31 of at
-- most 64 code points with at least one letter. "#" starts no tag directly behind "_", "#", "&", "/" or a word, except a word in a
-- script without blanks.
create function activity_tags(message text) returns text[]
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

-- The search vector of an activity: its words (the first 100 code points of each), its tags, and the time of its creation as
-- '@k:n', the n-th period of 2^k seconds since 1970. sql/activities/search.sql uses the periods to restrict a search to new
-- activities. No word starts with "@" or "#" or contains a character with a meaning in the syntax of tsvector.
create function activity_search(message text, tags text[], created_at timestamptz) returns tsvector
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
revoke all on function word_marks(), unspaced_characters(), latin_characters(), invisible_characters(), plain_characters(),
    blank_characters(), is_blank(text), fold_text(text), is_handle(text), text_words(text),
    text_without_addresses(text), activity_tags(text), activity_search(text, text[], timestamptz),
    phrase_query(text[], boolean, boolean), joined_query(tsquery[], boolean[]), search_query(text) from public;

-- The constraints hold for old rows, too; set_folded_handle is stricter with new names and handles. Blanks are listed one by one
-- because a class such as [[:space:]] depends on the database's locale.
create table users (
    uuid            uuid        not null default gen_random_uuid(),
    display_name    text        not null,
    handle          text        not null,
    email           text        not null,
    cognito_user_id text        not null, -- the claim "sub" of the user's tokens
    bio             text        not null default '',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    folded_handle   text        collate "C" not null, -- fold_text(handle), by which users are found; set_folded_handle writes it
    suspended_at    timestamptz, -- null: not suspended; otherwise nothing that the user writes is accepted
    constraint users_pkey primary key (uuid),
    constraint users_cognito_user_id_key unique (cognito_user_id),
    constraint users_display_name_check check (display_name ~ '[^\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]' and char_length(display_name) <= 255),
    -- One word of a path and of a mention: no blanks, no control characters, no "/" and no "@".
    constraint users_handle_check check (handle ~ '^[^\u0001-\u0020\u007f-\u009f\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000/@]{1,64}$'),
    constraint users_email_check check (email ~ '^[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+@[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000@]+$' and char_length(email) <= 320),
    constraint users_cognito_user_id_check check (cognito_user_id ~ '^[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]{1,128}$'),
    constraint users_bio_check check (char_length(bio) <= 1024)
);

-- AndrewBrown and andrewbrown are one user.
create unique index users_handle_key on users (folded_handle);
create unique index users_email_key on users (lower(email collate "und-x-icu"));

-- Refuses new names and handles that break the rules; names and handles that are older than the rules stay. The insert of an
-- existing user is not checked: a repeated event of the hook inserts first and becomes an update by its conflict clause.
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

-- The last event of the hook that was applied to a user: when it was signed, and the SHA-256 of each applied event that was signed in
-- that second. Only confirm_user writes to this table.
create table confirmations (
    user_uuid uuid        not null,
    signed_at timestamptz not null,
    events    bytea[]     not null,
    constraint confirmations_pkey primary key (user_uuid),
    constraint confirmations_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

-- Makes the user that an event of Cognito's PostConfirmation trigger is about. Returns the outcome, see sql/hooks/confirm.sql. All rules
-- for the user are in this function and in the table's constraints. A violation is caught, so that no value gets into the server's
-- log. The pool owns the identity (handle, e-mail), so a repeated event writes it again; the display name belongs to the user after
-- the first event. pool: null accepts any pool.
-- event_time: when the event was signed; null: the event was made by hand and is always applied. An event that is older than the last
-- one that was applied to its user, or was applied already, changes nothing, so that a captured event writes no old handle back. Nor does an
-- event that was signed before its user left: it would bring the account back.
-- Events of one user must be applied one after the other, see sql/hooks/confirm.sql.
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
        update public.departures set due_at = due_at where cognito_user_id = subject and left_at >= event_time;
        if found then
            return 'ok';
        end if;
        begin
            insert into public.users (uuid, cognito_user_id, handle, display_name, email)
            values (new_uuid, subject, username, full_name, address)
            on conflict (cognito_user_id) do update set handle = excluded.handle, email = excluded.email
            returning uuid into confirmed;
            if exists (select from public.departures where cognito_user_id = subject and left_at >= event_time) then
                raise sqlstate 'UD001'; -- the user left while the insert waited for the user's row: it is undone
            end if;
            insert into public.confirmations as c (user_uuid, signed_at, events)
            select confirmed, event_time, array[digest]
            where event_time is not null
            on conflict (user_uuid) do update
                set signed_at = excluded.signed_at,
                    events = case when c.signed_at = excluded.signed_at then c.events || excluded.events else excluded.events end;
            return 'ok';
        exception
            when sqlstate 'UD001' then
                null;
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
                -- Neither: another delivery of this event has just made the row, or the user that had the name has just gone.
        end;
    end loop;
    raise unique_violation using message = 'a user with this uuid, handle or e-mail comes and goes';
end
$$;
revoke all on function confirm_user(uuid, json, text, timestamptz) from public;

-- The rules for a row of activities. A new message is not blank and has at most 280 code points, in a reply 1024; an old one may be blank.
-- The rules are not constraints, although a row that breaks one is refused as by a constraint: PostgreSQL parses the text of every
-- constraint again for each statement, which for three constraints takes 4 % of the time of an insert. The trigger takes 2 %. (A
-- constraint checks the counts: a session whose PL/pgSQL has once read a column fails after a change of that column's type.)
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
    if new.deleted_at is not null then
        new.hidden_expires_at := null; -- else the end of a suspension would bring a deleted activity back
    end if;
    return new;
end
$$;
revoke all on function check_activity() from public;

-- Generated columns would do the same at twice the cost for every insert.
create function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    new.tags := case when new.message ~ '[#\ufe5f\uff03]' then public.activity_tags(new.message) end;
    new.search := public.activity_search(new.message, new.tags, new.created_at);
    return new;
end
$$;
revoke all on function set_activity_search() from public;

create table activities (
    uuid                   uuid        not null default gen_random_uuid(),
    user_uuid              uuid        not null,
    message                text        not null, -- not varchar(n), which would silently cut trailing blanks off; see check_activity
    replies_count          integer     not null default 0,
    reposts_count          integer     not null default 0,
    likes_count            integer     not null default 0,
    reply_to_activity_uuid uuid,       -- null: a top-level activity
    expires_at             timestamptz, -- null: never
    created_at             timestamptz not null default now(),
    search                 tsvector    not null, -- for searches; set_activity_search derives it and the tags from the other columns
    tags                   text[],      -- null: none
    deleted_at             timestamptz, -- null: not deleted; otherwise expires_at is -infinity, and the purge deletes the row a day later
    written_by             xid8 default pg_current_xact_id(), -- the transaction that inserted it; null: inserted before migration 12
    first_expires_at       timestamptz, -- expires_at before the activity was kept for longer; null: it was not
    hidden_expires_at      timestamptz, -- expires_at of a suspended user's activity ('infinity' for null); null: it is not hidden
    constraint activities_pkey primary key (uuid),
    constraint activities_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint activities_reply_to_activity_uuid_fkey foreign key (reply_to_activity_uuid)
        references activities (uuid) on delete cascade,
    constraint activities_counts_check check (least(replies_count, reposts_count, likes_count) >= 0) -- check_activity has the other rules
);

-- Each list has one index. uuid breaks ties, so that a keyset cursor neither skips nor repeats a row.
create index activities_home_idx on activities (created_at desc, uuid desc)
    where reply_to_activity_uuid is null and (expires_at is null or expires_at > '-infinity'); -- neither deleted nor hidden
-- A user's posts and a user's replies are two ranges of this index. Queries write an equality with the second column as
-- "reply_to_activity_uuid is null" or "(reply_to_activity_uuid is null) is false".
create index activities_user_idx on activities (user_uuid, (reply_to_activity_uuid is null), created_at, uuid);
create index activities_replies_idx on activities (reply_to_activity_uuid, created_at, uuid)
    where reply_to_activity_uuid is not null;
create index activities_expires_at_idx on activities (expires_at) where expires_at is not null;
create index activities_deleted_at_idx on activities (deleted_at, created_at desc) where deleted_at is not null;
create index activities_hidden_idx on activities (hidden_expires_at) where hidden_expires_at is not null;
create index activities_hidden_user_idx on activities (user_uuid) where hidden_expires_at is not null;
create index activities_hidden_parent_idx on activities (reply_to_activity_uuid) where hidden_expires_at is not null;
create index activities_written_idx on activities (written_by, uuid) where reply_to_activity_uuid is null and written_by is not null;

-- The snapshot of the calling statement as text, behind a number that identifies the server's run: its start and its last reset of
-- statistics, which a crash causes. After a crash the server assigns the numbers of lost transactions again, so a snapshot is valid
-- for one run only. Null on a standby, whose snapshots lag behind. If the list of running transactions is too long for a cursor, all
-- transactions from the oldest running one on count as not seen. (The function is volatile like pg_is_in_recovery; as stable it
-- could not be inlined.)
create function current_view() returns text
    language sql
as $$
    select case
        when not pg_is_in_recovery() then
            (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
            + (extract(epoch from coalesce(pg_stat_get_bgwriter_stat_reset_time(), 'epoch')) * 1000000)::bigint
            || '/'
            || case
                when length(pg_current_snapshot()::text) <= 400 then pg_current_snapshot()::text
                else format('%1$s:%1$s:', pg_snapshot_xmin(pg_current_snapshot()))
            end
    end
$$;
revoke all on function current_view() from public;

-- Whether the rows of a transaction were visible in a snapshot. A transaction number that this server has not assigned yet comes from a
-- dump of another server, and counts as seen.
create function was_seen(transaction xid8, snapshot pg_snapshot) returns boolean
    language sql
    stable
as $$
    select coalesce(
        pg_visible_in_snapshot(transaction, snapshot) or transaction >= pg_snapshot_xmax(pg_current_snapshot()), true
    )
$$;
revoke all on function was_seen(xid8, pg_snapshot) from public;

-- The replies of an activity in the form that the frontend of week 4 shows inside the feed: each reply contains its own replies, the
-- oldest first. Bounds: the newest 30 replies of the activity, the newest ten of each reply, five levels, 50 replies in all.
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
revoke all on function embedded_replies(uuid, uuid, boolean) from public;

-- The likes and reposts of activities. A row is the only record of a like or a repost. The statement that writes the row also changes
-- the activity's counts, under a lock on the activity, which every such statement takes first.
create table likes (
    user_uuid     uuid        not null,
    activity_uuid uuid        not null,
    created_at    timestamptz not null default now(),
    constraint likes_pkey primary key (activity_uuid, user_uuid),
    constraint likes_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint likes_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

create index likes_user_idx on likes (user_uuid, activity_uuid);
create index likes_newest_idx on likes (activity_uuid, created_at);

create table reposts (
    user_uuid     uuid        not null,
    activity_uuid uuid        not null,
    created_at    timestamptz not null default now(),
    written_by    xid8 default pg_current_xact_id(), -- as in activities
    constraint reposts_pkey primary key (activity_uuid, user_uuid),
    constraint reposts_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint reposts_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

create index reposts_user_idx on reposts (user_uuid, created_at, activity_uuid);
create index reposts_created_at_idx on reposts (created_at);
create index reposts_activity_idx on reposts (activity_uuid, created_at);
create index reposts_written_idx on reposts (written_by, activity_uuid) where written_by is not null;

create table follows (
    follower_uuid uuid        not null,
    followed_uuid uuid        not null,
    created_at    timestamptz not null default now(),
    written_by    xid8 default pg_current_xact_id(), -- as in activities
    constraint follows_pkey primary key (follower_uuid, followed_uuid),
    constraint follows_follower_uuid_fkey foreign key (follower_uuid) references users (uuid) on delete cascade,
    constraint follows_followed_uuid_fkey foreign key (followed_uuid) references users (uuid) on delete cascade,
    constraint follows_oneself_check check (follower_uuid <> followed_uuid)
);

create index follows_newest_idx on follows (followed_uuid, created_at, follower_uuid);

-- Users that a user has blocked, and users that a user has muted. A blocked user and the user that blocked do not see each other.
-- A muted user is only left out of the other user's lists and notifications, and cannot notice this.
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

-- Sets the number of different values that the planner assumes. From its statistics it expects the average number of rows for a value. Most
-- activities have one like or none, so it would use an index on the activity alone to find one user's like, and would read all likes of a
-- popular activity. If few users have most of the blocks, it would read the whole table to find out whether a user has a block.
alter table likes alter column activity_uuid set (n_distinct = 1000);
alter table reposts alter column activity_uuid set (n_distinct = 1000), alter column user_uuid set (n_distinct = 1000);
alter table follows alter column followed_uuid set (n_distinct = 1000);
alter table blocks alter column user_uuid set (n_distinct = 1000), alter column blocked_uuid set (n_distinct = 1000);
alter table mutes alter column user_uuid set (n_distinct = 1000);

-- version grows with each transaction that changes blocks or mutes. The cached home page has the version of its snapshot. A worker serves
-- the page to a caller that, at that version, had hidden no user and was hidden by none (src/home/viewers.h). version is a time in
-- microseconds since 1970, or one more than the version before, so that a server that has lost the last change, in a failover or by a
-- restore, does not use its number again.
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
    update public.visibility set version = greatest(version + 1, public.clock_us());
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

-- Whether one of two users has blocked the other. (For the subqueries that return true, see marks.) The functions on blocks are PL/pgSQL:
-- PostgreSQL does not inline an SQL function that contains a subquery, and plans it again in each statement that calls it.
create function is_blocked(one uuid, other uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    if one is null or other is null then
        return false;
    end if;
    return coalesce(
        (select true from public.blocks where user_uuid = one and blocked_uuid = other),
        (select true from public.blocks where user_uuid = other and blocked_uuid = one),
        false
    );
end
$$;

-- The same by what is committed at this moment: a statement that has waited for a lock does not itself see what was written meanwhile.
create function is_blocked_now(one uuid, other uuid) returns boolean
    language plpgsql
as $$
begin
    return public.is_blocked(one, other);
end
$$;

-- Whether a user is suspended, or is deleted, by what is committed at this moment, for a statement that has waited for a lock.
create function is_suspended_now(one uuid) returns boolean
    language plpgsql
as $$
begin
    return not exists (select from public.users where uuid = one and suspended_at is null);
end
$$;

-- Whether a viewer has blocked or muted a user, or is blocked by the user.
create function is_hidden(viewer uuid, author uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    return public.is_blocked(viewer, author)
        or exists (select from public.mutes where user_uuid = viewer and muted_uuid = author);
end
$$;

-- Whether a viewer's lists leave a user out. has_hidden: the value of has_hidden(viewer); if it is false, nothing is looked up.
create function hides(viewer uuid, has_hidden boolean, author uuid) returns boolean
    language sql
    stable
as $$
    select case when has_hidden then public.is_hidden(viewer, author) else false end
$$;

-- Whether a viewer's lists leave any user out.
create function has_hidden(viewer uuid) returns boolean
    language plpgsql
    stable
as $$
begin
    return coalesce(
        (select true from public.blocks where user_uuid = viewer limit 1),
        (select true from public.blocks where blocked_uuid = viewer limit 1),
        (select true from public.mutes where user_uuid = viewer limit 1),
        false
    );
end
$$;

-- Whether hider may block or mute ("kind") hidden: if hider does so already, or blocks or mutes fewer than "most" users. Like may_follow,
-- it sees what was committed while the statement waited for the lock.
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
revoke all on function is_blocked(uuid, uuid), is_blocked_now(uuid, uuid), is_suspended_now(uuid), is_hidden(uuid, uuid), hides(uuid, boolean, uuid), has_hidden(uuid),
    may_hide(text, uuid, uuid, integer) from public;

-- Takes back what actor did to object (an activity or a user). Returns the number of deleted rows, 0 or 1. A statement that has waited
-- for a lock does not see what was written meanwhile; a function that the statement calls once it has the lock does.
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
        when 'block' then delete from public.blocks where user_uuid = actor and blocked_uuid = object;
        when 'mute' then delete from public.mutes where user_uuid = actor and muted_uuid = object;
    end case;
    get diagnostics gone = row_count;
    return gone;
end
$$;
revoke all on function take_back(text, uuid, uuid) from public;

-- Whether follower may follow followed: if follower does so already, or follows fewer than "most" users. Like take_back, this function
-- sees what was committed while the statement waited for the lock.
create function may_follow(follower uuid, followed uuid, most integer) returns boolean
    language plpgsql
as $$
begin
    return exists (select from public.follows f where f.follower_uuid = follower and f.followed_uuid = followed)
        or most > (select count(*) from (select from public.follows f where f.follower_uuid = follower limit most) counted);
end
$$;
revoke all on function may_follow(uuid, uuid, integer) from public;

-- An identifier of what actor did to object. It distinguishes the rows of a list and breaks ties in the list's order.
create function event_uuid(kind text, actor uuid, object uuid) returns uuid
    language sql
    immutable
as $$
    select encode(substring(sha256(convert_to(kind, 'UTF8') || uuid_send(actor) || uuid_send(object)) for 16), 'hex')::uuid
$$;
revoke all on function event_uuid(text, uuid, uuid) from public;

-- Parts that the statements of sql/ share. Each SQL function is one expression or one select, by which the planner replaces the call: the
-- plan is the same as if the text stood in the statement. Therefore these functions have no SET clause and run with the caller's rights,
-- and an argument is a parameter or a column, never a subquery.

-- The position behind which a list from new to old goes on: (created_at, uuid) < (page_time(after_us), page_uuid(after_uuid)).
-- Nulls are the position before the first row.
create function page_time(after_us bigint) returns timestamptz
    language sql
    stable
    parallel safe
as $$
    select coalesce('epoch'::timestamptz + after_us * interval '1 microsecond', 'infinity')
$$;

create function page_uuid(after_uuid uuid) returns uuid
    language sql
    immutable
    parallel safe
as $$
    select coalesce(after_uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
$$;

-- The same for a list from old to new, with ">".
create function since_time(since_us bigint) returns timestamptz
    language sql
    stable
    parallel safe
as $$
    select coalesce('epoch'::timestamptz + since_us * interval '1 microsecond', '-infinity')
$$;

create function since_uuid(since_uuid uuid) returns uuid
    language sql
    immutable
    parallel safe
as $$
    select coalesce(since_uuid, '00000000-0000-0000-0000-000000000000')
$$;

-- A position as cursors contain it: the microseconds since 1970, a slash, and the uuid.
create function page_key(at timestamptz, id uuid) returns text
    language sql
    stable
    parallel safe
as $$
    select (extract(epoch from at) * 1000000)::bigint || '/' || id
$$;

-- The position behind all events that are newer than edge, for a page that ends at edge; null for '-infinity'. If the page began in the
-- microsecond of edge, the position is a microsecond earlier, so that no page leads to itself.
create function edge_key(edge timestamptz, after_us bigint) returns text
    language sql
    stable
    parallel safe
as $$
    select
        case when edge > '-infinity' then
            public.page_key(edge - (edge >= public.page_time(after_us))::integer * interval '1 microsecond', public.page_uuid(null))
        end
$$;

-- The server's clock in microseconds since 1970.
create function clock_us() returns bigint
    language sql
as $$
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;

-- Whether the server's clock is before not_after, in microseconds since 1970.
create function is_timely(not_after bigint) returns boolean
    language sql
as $$
    select clock_timestamp() < 'epoch'::timestamptz + not_after * interval '1 microsecond'
$$;

-- The user that sent a request: the user with the token's subject or, without a subject, the user with this handle. is_allowed: false if
-- the request has both and the handle is not that user's.
create function caller(sub text, name text) returns table (uuid uuid, display_name text, handle text, is_allowed boolean)
    language sql
    stable
    rows 1
as $$
    select u.uuid, u.display_name, u.handle, sub is null or name is null or public.fold_text(u.handle) = public.fold_text(name)
    from public.users u
    where u.cognito_user_id = sub
        or u.folded_handle = case when sub is null then public.fold_text(name) end
$$;

-- The user that a request names, if it names one. The function is PL/pgSQL, so an anonymous request does not start the plan of the query.
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

-- The user that a list is for. is_asked: false if the request names no user. has_hidden: see hides().
create function viewer(sub text, name text) returns table (uuid uuid, is_asked boolean, has_hidden boolean)
    language plpgsql
    stable
    rows 1
as $$
begin
    is_asked := sub is not null or name is not null;
    if is_asked then
        uuid := (select caller.uuid from public.caller(sub, name) caller);
    end if;
    has_hidden := uuid is not null and public.has_hidden(uuid);
    return next;
end
$$;
revoke all on function viewer(text, text) from public;

-- The outcome where caller() has no row.
create function missing_caller(sub text) returns text
    language sql
    immutable
    parallel safe
as $$
    select case when sub is null then 'user_not_found' else 'user_not_registered' end
$$;

-- As caller(), for a request that writes: a suspended user has no row.
create function writer(sub text, name text) returns table (uuid uuid, display_name text, handle text, is_allowed boolean)
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

-- The outcome where writer() has no row.
create function missing_writer(sub text, name text) returns text
    language sql
    stable
as $$
    select case when exists (select from public.caller(sub, name)) then 'user_suspended' else public.missing_caller(sub) end
$$;
revoke all on function writer(text, text), missing_writer(text, text) from public;

-- Whether an activity has not expired, was not deleted and is not hidden. The planner has no statistics of this expression, so it does not
-- expect that the condition rejects nearly all rows that an index returns.
create function is_live(expires_at timestamptz) returns boolean
    language sql
    stable
    parallel safe
as $$
    select coalesce(expires_at > now(), true)
$$;

-- One activity, and the names of one user. The limits prevent plans that read all activities or all users.
create function activity(id uuid) returns setof activities
    language sql
    stable
    rows 1
as $$
    select * from public.activities where uuid = id limit 1
$$;

create function author(id uuid) returns table (handle text, display_name text)
    language sql
    stable
    rows 1
as $$
    select handle, display_name from public.users where uuid = id limit 1
$$;

-- An activity as the API returns it. is_asked in marks: the request names a viewer; if not, both columns are null. (The subqueries in
-- marks return true because exists() may become a hash of the whole table.)
create function card(a activities, author_name text, author_handle text) returns table (
    uuid uuid, display_name text, handle text, message text, replies_count integer, reposts_count integer, likes_count integer,
    reply_to_activity_uuid uuid, expires_at timestamptz, created_at timestamptz
)
    language sql
    stable
    rows 1
as $$
    select
        a.uuid, author_name, author_handle, a.message, a.replies_count, a.reposts_count, a.likes_count, a.reply_to_activity_uuid,
        a.expires_at, a.created_at
$$;

create function marks(viewer uuid, is_asked boolean, activity uuid) returns table (liked boolean, reposted boolean)
    language sql
    stable
    rows 1
as $$
    select
        case when is_asked then coalesce((select true from public.likes where user_uuid = viewer and activity_uuid = activity), false) end,
        case when is_asked then coalesce((select true from public.reposts where user_uuid = viewer and activity_uuid = activity), false) end
$$;

-- The two columns of marks as separate functions. They are PL/pgSQL, so that a statement that seldom calls them need not prepare their
-- queries each time.
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

-- An activity as one event of a list with reposts: the repost by reposter at "at", or the post itself if reposter is null. reposters: all
-- users on the page that reposted the activity.
create function event_card(activity uuid, viewer uuid, reposter uuid, at timestamptz, reposters uuid[]) returns table (body json)
    language sql
    stable
    rows 1
as $$
    select row_to_json(shown)
    from public.activity(activity) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral (
        select
            card.*,
            marks.*,
            (select row_to_json(names) from public.author(reposter) names) as reposted_by,
            case when reposter is not null then at end as reposted_at,
            (
                select coalesce(json_agg(names order by listed.number), '[]')
                from unnest(reposters) with ordinality listed (uuid, number)
                cross join lateral public.author(listed.uuid) names
            ) as reposters,
            '[]'::json as replies
        from public.card(a, u.display_name, u.handle) card
        cross join lateral public.marks(viewer, true, a.uuid) marks
    ) shown
$$;

-- The top-level activities behind a position, from new to old: expired ones too, but none that are deleted or hidden. Those may be many, and
-- they stay for a day or longer, so a list that had to pass them could end before it has a row.
create function posts_before(after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where reply_to_activity_uuid is null
        and (expires_at is null or expires_at > '-infinity')
        and (created_at, uuid) < (public.page_time(after_us), public.page_uuid(after_uuid))
    order by created_at desc, uuid desc
    limit most
$$;

-- The top-level activities behind a position that were not visible in a snapshot and are visible now, the latest transaction first. Others
-- are returned, too, if their transaction is in the same range of numbers.
create function posts_since(seen pg_snapshot, before xid8, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where reply_to_activity_uuid is null
        and written_by >= pg_snapshot_xmin(seen)
        and written_by < pg_snapshot_xmax(pg_current_snapshot())
        and (written_by, uuid) < (coalesce(before, '18446744073709551615'), public.page_uuid(after_uuid))
    order by written_by desc, uuid desc
    limit most
$$;

-- The replies to an activity that have not expired, behind a position, beginning with the newest or with the oldest. The condition is a
-- range in the index's order: for an equality the planner expects an average activity's few replies, and would fetch and sort all of
-- them. The subquery around the limit keeps the planner from expecting that a whole page is needed.
create function replies(parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer, viewer uuid, has_hidden boolean)
    returns setof activities
    language plpgsql
    stable
    rows 30
as $$
begin
    if is_newest then
        return query
        select *
        from public.activities
        where (reply_to_activity_uuid, created_at, uuid) < (parent, public.page_time(after_us), public.page_uuid(after_uuid))
            and reply_to_activity_uuid >= parent
            and public.is_live(expires_at)
            and not public.hides(viewer, has_hidden, user_uuid)
        order by reply_to_activity_uuid desc, created_at desc, uuid desc
        limit (select most);
    else
        return query
        select *
        from public.activities
        where (reply_to_activity_uuid, created_at, uuid) > (parent, public.since_time(after_us), public.since_uuid(after_uuid))
            and reply_to_activity_uuid <= parent
            and public.is_live(expires_at)
            and not public.hides(viewer, has_hidden, user_uuid)
        order by reply_to_activity_uuid, created_at, uuid
        limit (select most);
    end if;
end
$$;

-- A page of an activity's replies as activities/show.sql answers it, and the key of the next page: null when there is none.
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

-- The activities from the top of a thread to parent as a JSON array, the top first: the nearest 100 that have not expired, without those
-- of users that have blocked the viewer, or that the viewer has blocked.
create function ancestors(parent uuid, viewer uuid, is_asked boolean) returns json
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

-- The answer of activities/show.sql: an activity, a page of its replies and its ancestors, and the key of the next page: null when there
-- is none. The uuid of a notification shows the notification's activity; if it is about a follow, the activity is a message about the
-- follow. No row: there is nothing to show. The executor starts every step of a plan, even a step that never runs, so what only few
-- activities need is in separate queries.
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

-- How many rows behind its position a list reads, expired and deleted ones included: of all users' posts (walk_rows), and of one user's
-- posts, replies or reposts (user_walk_rows; each such row may be on another page of the table). The service purges expired rows within
-- seconds, so a page is short only if the purge is off or behind; infra/ has an alert for that. doc/sql.md has the cost of such a walk.
create function walk_rows() returns integer
    language sql
    immutable
    parallel safe
as $$
    select 5000
$$;

create function user_walk_rows() returns integer
    language sql
    immutable
    parallel safe
as $$
    select 1000
$$;

-- The posts and the replies of one user behind a position, from new to old, expired ones included; the posts not older than "since". The
-- conditions are ranges in the index's order, as in replies.
create function user_posts(author uuid, after_us bigint, after_uuid uuid, since timestamptz, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where (user_uuid, reply_to_activity_uuid is null, created_at, uuid)
            < (author, true, public.page_time(after_us), public.page_uuid(after_uuid))
        and (user_uuid, reply_to_activity_uuid is null, created_at) >= (author, true, since)
    order by user_uuid desc, reply_to_activity_uuid is null desc, created_at desc, uuid desc
    limit most
$$;

create function user_replies(author uuid, after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where (user_uuid, reply_to_activity_uuid is null, created_at, uuid)
            < (author, false, public.page_time(after_us), public.page_uuid(after_uuid))
        and user_uuid >= author
    order by user_uuid desc, reply_to_activity_uuid is null desc, created_at desc, uuid desc
    limit most
$$;

-- The same for reposts. All reposts of one time are returned together, so there may be more than "most", because no index has the order
-- of reposts of one time.
create function user_reposts(reposter uuid, after_us bigint, after_uuid uuid, since timestamptz, most integer)
    returns table (at timestamptz, id uuid, activity_uuid uuid)
    language sql
    stable
as $$
    select r.created_at, public.event_uuid('repost', r.user_uuid, r.activity_uuid), r.activity_uuid
    from public.reposts r
    where (r.user_uuid, r.created_at) >= (reposter, since)
        and (r.user_uuid, r.created_at) <= (reposter, public.page_time(after_us))
        and (
            r.created_at < public.page_time(after_us)
            or public.event_uuid('repost', r.user_uuid, r.activity_uuid) < public.page_uuid(after_uuid)
        )
    order by r.user_uuid desc, r.created_at desc
    fetch first (most) rows with ties
$$;

-- The reposts of all users behind a position.
create function reposts_before(after_us bigint, after_uuid uuid, most integer)
    returns table (at timestamptz, id uuid, activity_uuid uuid, user_uuid uuid)
    language sql
    stable
as $$
    select r.created_at, public.event_uuid('repost', r.user_uuid, r.activity_uuid), r.activity_uuid, r.user_uuid
    from public.reposts r
    where r.created_at <= public.page_time(after_us)
        and (
            r.created_at < public.page_time(after_us)
            or public.event_uuid('repost', r.user_uuid, r.activity_uuid) < public.page_uuid(after_uuid)
        )
    order by r.created_at desc
    fetch first (most) rows with ties
$$;

-- The events of a list with reposts. events_before: the newest posts and reposts of all users behind a position (expires_at of a repost is
-- null: its activity is not read). user_events: the posts or the reposts of one user, from new to old as in user_posts and user_reposts.
-- (user_events has no order by, which would be a sort, for which all rows are read.)
create function events_before(after_us bigint, after_uuid uuid, most integer)
    returns table (user_uuid uuid, is_repost boolean, at timestamptz, id uuid, activity_uuid uuid, expires_at timestamptz)
    language sql
    stable
as $$
    select a.user_uuid, false, a.created_at as at, a.uuid, a.uuid, a.expires_at
    from public.posts_before(after_us, after_uuid, most) a
    union all
    select r.user_uuid, true, r.at, r.id, r.activity_uuid, null
    from public.reposts_before(after_us, after_uuid, most) r
    order by at desc
    limit most
$$;

create function user_events(author uuid, is_repost boolean, after_us bigint, after_uuid uuid, since timestamptz, most integer)
    returns table (at timestamptz, id uuid, activity_uuid uuid, expires_at timestamptz)
    language sql
    stable
as $$
    select a.created_at as at, a.uuid, a.uuid, a.expires_at
    from public.user_posts(author, after_us, after_uuid, since, most) a
    where not is_repost
    union all
    select r.at, r.id, r.activity_uuid, a.expires_at
    from public.user_reposts(author, after_us, after_uuid, since, most) r
    cross join lateral public.activity(r.activity_uuid) a
    where is_repost
$$;

-- For each followed user (1000 at most) a row for the newest unexpired post and one for the newest unexpired repost behind a position. No
-- more than the newest "most" posts and "most" reposts are read; if all of these have expired, last_at is the time of the oldest of them.
-- A user without such events has both rows, too. The limit is also for the planner: follows are read only if there is a follower.
create function heads(follower uuid, after_us bigint, after_uuid uuid, most integer)
    returns table (user_uuid uuid, is_repost boolean, at timestamptz, last_at timestamptz)
    language sql
    stable
as $$
    select f.followed_uuid, kind.is_repost, case when head.is_live then head.at end, case when not head.is_live then head.at end
    from (select followed_uuid from public.follows where follower_uuid = follower limit 1000) f
    cross join (values (false), (true)) kind (is_repost)
    left join lateral (
        select event.at, event.is_live
        from (
            select newest.at, public.is_live(newest.expires_at) as is_live, row_number() over () as number
            from public.user_events(f.followed_uuid, kind.is_repost, after_us, after_uuid, '-infinity', most) newest
        ) event
        where event.is_live
            or event.number >= most
        limit 1
    ) head on true
$$;

-- The reposts of an activity by followed users at or before a position in the order of a list, that is, those on earlier pages. Only
-- reposts and follows that were visible in the list's snapshot count (view is null: all that are visible now): earlier pages have no repost by
-- a user that the caller has followed since. Only the newest 100 reposts are read.
create function earlier_reposts(activity uuid, follower uuid, after_us bigint, after_uuid uuid, view pg_snapshot) returns table (user_uuid uuid)
    language sql
    stable
as $$
    select earlier.user_uuid
    from (
        select user_uuid, created_at, written_by
        from public.reposts
        where activity_uuid = activity
            and created_at >= public.page_time(after_us)
        order by created_at desc
        limit 100
    ) earlier
    where (view is null or public.was_seen(earlier.written_by, view))
        and (earlier.created_at, public.event_uuid('repost', earlier.user_uuid, activity)) >= (public.page_time(after_us), public.page_uuid(after_uuid))
        and (
            select view is null or public.was_seen(follows.written_by, view)
            from public.follows
            where follower_uuid = follower
                and followed_uuid = earlier.user_uuid
        )
        and not public.hides(follower, true, earlier.user_uuid)
$$;

-- Whether an activity fits a search, see search_query.
create function fits(search tsvector, message text, fit tsquery, plain text) returns boolean
    language sql
    immutable
    parallel safe
as $$
    select case when fit is not null then search @@ fit else strpos(translate(message, U&'\FE0E\FE0F', ''), plain) > 0 end
$$;

-- One step of a search by the index. It reads the first 1000 activities that "loose" selects among those of at least the last
-- 2^(12 + 3 * rung) seconds (rung 4: among all). uuids: the newest "enough" of these that fit and that the viewer may see. seen: how many
-- were read. '@k:n': see activity_search. The planner plans a materialized part as if all its rows were needed, and so uses the index; the
-- executor reads only the rows that the query needs.
create function search_step(loose tsquery, fit tsquery, rung integer, enough integer, viewer uuid, has_hidden boolean)
    returns table (uuids uuid[], seen bigint)
    language sql
    stable
    rows 1
as $$
    with candidates as materialized (
        select uuid, user_uuid, created_at, expires_at, search
        from public.activities
        where search @@ (
            select
                case
                    when rung = 4 then loose
                    else loose && ('''@' || k || ':' || n || ''' | ''@' || k || ':' || n - 1 || '''')::tsquery
                end
            from (select 12 + 3 * rung as k) power
            cross join lateral (select floor(extract(epoch from now()) / (1 << k))::bigint as n) period
        )
    )
    select
        coalesce(
            (array_agg(uuid order by created_at desc, uuid desc) filter (
                where public.is_live(expires_at)
                    and search @@ fit
                    and not public.hides(viewer, has_hidden, user_uuid)
            ))[:enough],
            '{}'
        ),
        count(*)
    from (select * from candidates limit 1000) looked
$$;

-- The profile on a user's page. cruds_count: how many of the user's newest user_walk_rows() posts have not expired.
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

-- The snapshot in view, a text that current_view returned to an earlier statement; null if it is of another run of the server. A text
-- without a snapshot is an error.
create function snapshot_of(view text) returns pg_snapshot
    language sql
as $$
    select
        case
            when split_part(view, '/', 2)::pg_snapshot is not null and split_part(view, '/', 1) = split_part(public.current_view(), '/', 1)
                then split_part(view, '/', 2)::pg_snapshot
        end
$$;
revoke all on function page_time(bigint), page_uuid(uuid), since_time(bigint), since_uuid(uuid),
    page_key(timestamptz, uuid), edge_key(timestamptz, bigint), clock_us(), is_timely(bigint), caller(text, text), missing_caller(text),
    is_live(timestamptz), activity(uuid), author(uuid), card(activities, text, text), marks(uuid, boolean, uuid),
    has_liked(uuid, uuid), has_reposted(uuid, uuid), event_card(uuid, uuid, uuid, timestamptz, uuid[]), posts_before(bigint, uuid, integer),
    posts_since(pg_snapshot, xid8, uuid, integer), replies(uuid, boolean, bigint, uuid, integer, uuid, boolean),
    replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean), ancestors(uuid, uuid, boolean),
    show_activity(uuid, text, uuid, boolean, boolean, bigint, uuid, integer),
    user_posts(uuid, bigint, uuid, timestamptz, integer), user_replies(uuid, bigint, uuid, integer),
    user_reposts(uuid, bigint, uuid, timestamptz, integer), reposts_before(bigint, uuid, integer), events_before(bigint, uuid, integer),
    user_events(uuid, boolean, bigint, uuid, timestamptz, integer),
    heads(uuid, bigint, uuid, integer), walk_rows(), user_walk_rows(), earlier_reposts(uuid, uuid, bigint, uuid, pg_snapshot),
    search_step(tsquery, tsquery, integer, integer, uuid, boolean), fits(tsvector, text, tsquery, text),
    profile(text, uuid, boolean),
    snapshot_of(text) from public;

-- What users are notified of. Each user has one list, so that reading it costs the same however many posts the user has and whatever
-- is done to the posts of others. uuid is the activity's for a reply or a mention, otherwise a random one; activities/show.sql takes both.
-- created_at is the notification's position in the list, see next_notification_at.
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

create index notifications_activity_idx on notifications (activity_uuid) where activity_uuid is not null;
create index notifications_actor_idx on notifications (actor_uuid, activity_uuid);
create index notifications_follow_idx on notifications (actor_uuid, user_uuid) where kind = 'follow';
create index notifications_uuid_idx on notifications (uuid) where kind in ('like', 'repost', 'follow');
alter table notifications alter column activity_uuid set (n_distinct = 1000); -- as in likes

-- Notifications whose like, repost or follow was taken back. If it is made again, the notification returns, read if it was read, so
-- that the user is notified once. was_read: whether it was read when it was withdrawn. key: event_uuid of the event.
create table withdrawn_notifications (
    key           uuid        not null,
    user_uuid     uuid        not null,
    created_at    timestamptz not null,
    uuid          uuid        not null,
    kind          text        not null,
    actor_uuid    uuid        not null,
    activity_uuid uuid,
    was_read      boolean     not null,
    constraint withdrawn_notifications_pkey primary key (key),
    constraint withdrawn_notifications_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint withdrawn_notifications_actor_uuid_fkey foreign key (actor_uuid) references users (uuid) on delete cascade,
    constraint withdrawn_notifications_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

create index withdrawn_notifications_user_idx on withdrawn_notifications (user_uuid, created_at);
create index withdrawn_notifications_actor_idx on withdrawn_notifications (actor_uuid);
create index withdrawn_notifications_activity_idx on withdrawn_notifications (activity_uuid);

-- The users that a message mentions, at most ten, in the order of the message. A mention is "@" and the longest existing handle
-- that the text behind "@" starts with and that ends at the end of a word. A word also ends between Latin and another script, and
-- behind each character of a script without blanks. It continues behind "." and "-" if a letter, a digit or "_" follows. "@" starts
-- no mention directly behind a Latin word or one of _!#$%&*@/, as in an address.
create function mentioned_users(message text) returns setof uuid
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
revoke all on function mentioned_users(text) from public;

-- Up to when each user has read the notifications.
create table notification_reads (
    user_uuid uuid        not null,
    read_at   timestamptz not null,
    constraint notification_reads_pkey primary key (user_uuid),
    constraint notification_reads_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

-- Advisory locks have a class and a key (the first class is "crud" in ASCII):
--   1668445540, 1                 growth: close_growth alone, writes of late and deleted rows shared
--   1668445540, 2                 the purge (sql/metrics/step.sql, bin/db-purge)
--   1668445541, notification_lock a recipient's notifications
--   1668445542, author and text   posts that may be a repeated click (sql/activities/create.sql)
--   1668445543, subject           confirmations of a user (sql/hooks/confirm.sql)
-- Migrations take 1668445540 without a key. bin/db-setup takes it in another database; the key is the name of the database that it makes.

-- The number of the advisory lock under which a user's notifications are written. There are 1024, as one transaction may notify all
-- users and locks are held until its end.
create function notification_lock(recipient uuid) returns integer
    language sql
    immutable
as $$
    select uuid_hash(recipient) & 1023
$$;
revoke all on function notification_lock(uuid) from public;

-- The created_at of a user's next notification, about an event at event_at. The lock is held until the end of the transaction, so a
-- user's notifications become visible in the order of created_at. Therefore a reader that marks all up to the newest one shown has
-- been shown all that it marks, and all later ones are unread. Clients cut times to milliseconds, so each notification has a
-- millisecond of its own. In a burst they are a microsecond apart, so that created_at is at most a second ahead of the clock. now() is
-- not that clock: it is the time at which a transaction began, which may be long before its commit.
-- earlier_at: the created_at that the notification had before it was withdrawn; returned if it is later than all others.
-- The triggers that call this are deferred: the lock is taken at commit, so an open transaction holds it only while it commits. It is
-- the last lock of each transaction. A transaction takes several of these locks in the order of notification_lock.
create function next_notification_at(recipient uuid, event_at timestamptz, earlier_at timestamptz default null) returns timestamptz
    language plpgsql
as $$
declare
    locked  text;
    last_at timestamptz;
begin
    locked := pg_advisory_xact_lock(1668445541, public.notification_lock(recipient)); -- an assignment takes less time than perform
    select greatest(
        (select created_at from public.notifications where user_uuid = recipient order by created_at desc, uuid desc limit 1),
        (select max(created_at) from public.withdrawn_notifications where user_uuid = recipient),
        (select least(read_at, clock_timestamp()) from public.notification_reads where user_uuid = recipient),
        '-infinity'
    ) into last_at;
    if earlier_at > last_at then
        return earlier_at;
    end if;
    return greatest(
        least(event_at, now()),
        case
            when last_at < clock_timestamp() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
            else last_at + interval '1 microsecond'
        end
    );
end
$$;
revoke all on function next_notification_at(uuid, timestamptz, timestamptz) from public;

-- A reply notifies the author of the activity that it replies to, and a message notifies the users that it mentions. A user that is both
-- gets only the notification of the reply.
create function tell_of_activity() returns trigger
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
        perform from public.users where uuid = told.uuid for key share; -- waits for bin/user-delete, which deletes the row
        continue when not found;
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
        values (
            told.uuid, public.next_notification_at(told.uuid, new.created_at), new.uuid, told.kind, new.user_uuid, new.uuid
        );
    end loop;
    return null;
end
$$;
revoke all on function tell_of_activity() from public;

create constraint trigger activities_tell
    after insert on activities
    deferrable initially deferred
    for each row
    when (new.reply_to_activity_uuid is not null or new.message ~ '[@\ufe6b\uff20]')
    execute function tell_of_activity();

-- Notifies a user of a like, a repost or a follow. A withdrawn notification returns with its old created_at if it was read, or if it is
-- still the newest. Otherwise an answer may have shown later notifications without it, so it gets a new created_at.
create function notify_user(recipient uuid, what text, actor uuid, activity uuid, event_at timestamptz) returns void
    language plpgsql
as $$
declare
    earlier record;
begin
    delete from public.withdrawn_notifications
    where key = public.event_uuid(what, actor, coalesce(activity, recipient))
    returning created_at, uuid, was_read into earlier;
    if earlier.was_read is not true then
        earlier.created_at := public.next_notification_at(recipient, event_at, earlier.created_at);
    end if;
    insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
    values (recipient, earlier.created_at, coalesce(earlier.uuid, gen_random_uuid()), what, actor, activity);
end
$$;
revoke all on function notify_user(uuid, text, uuid, uuid, timestamptz) from public;

-- Withdraws such a notification. It goes into withdrawn_notifications unless its actor is being deleted.
create function withdraw_notification(recipient uuid, what text, actor uuid, activity uuid) returns void
    language plpgsql
as $$
declare
    gone record;
begin
    if what = 'follow' then
        delete from public.notifications
        where actor_uuid = actor and user_uuid = recipient and kind = 'follow'
        returning created_at, uuid into gone;
    else
        delete from public.notifications
        where actor_uuid = actor and activity_uuid = activity and user_uuid = recipient and kind = what
        returning created_at, uuid into gone;
    end if;
    if gone.uuid is not null and exists (select from public.users where uuid = actor) then
        insert into public.withdrawn_notifications (key, user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid, was_read)
        values (
            public.event_uuid(what, actor, coalesce(activity, recipient)), recipient, gone.created_at, gone.uuid, what, actor, activity,
            coalesce(gone.created_at <= (select read_at from public.notification_reads where user_uuid = recipient), false)
        )
        on conflict (key) do nothing;
    end if;
end
$$;
revoke all on function withdraw_notification(uuid, text, uuid, uuid) from public;

-- A like or a repost (the trigger's argument) notifies the author until it is taken back. Notifications of an expired or deleted
-- activity are not withdrawn: they are deleted with the activity.
create function tell_of_mark() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    author uuid;
begin
    if tg_op = 'INSERT' then
        author := (select user_uuid from public.activities where uuid = new.activity_uuid);
        if author <> new.user_uuid and exists (select from public.users where uuid = new.user_uuid) then
            perform public.notify_user(author, tg_argv[0], new.user_uuid, new.activity_uuid, new.created_at);
        end if;
    else
        author := (
            select user_uuid
            from public.activities
            where uuid = old.activity_uuid
                and coalesce(expires_at > now(), true)
        );
        if author <> old.user_uuid then
            perform public.withdraw_notification(author, tg_argv[0], old.user_uuid, old.activity_uuid);
        end if;
    end if;
    return null;
end
$$;
revoke all on function tell_of_mark() from public;

create constraint trigger likes_tell
    after insert or delete on likes
    deferrable initially deferred
    for each row
    execute function tell_of_mark('like');
create constraint trigger reposts_tell
    after insert or delete on reposts
    deferrable initially deferred
    for each row
    execute function tell_of_mark('repost');

create function tell_of_follow() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        if exists (select from public.follows where follower_uuid = new.follower_uuid and followed_uuid = new.followed_uuid) then
            perform public.notify_user(new.followed_uuid, 'follow', new.follower_uuid, null, new.created_at);
        end if;
    elsif exists (select from public.users where uuid = old.followed_uuid) then
        perform public.withdraw_notification(old.followed_uuid, 'follow', old.follower_uuid, null);
    end if;
    return null;
end
$$;
revoke all on function tell_of_follow() from public;

create constraint trigger follows_tell
    after insert or delete on follows
    deferrable initially deferred
    for each row
    execute function tell_of_follow();

-- Threads in which some replies do not end yet when the activity that they reply to ends. The purge settles these threads first.
create table unsettled_threads (
    activity_uuid uuid not null,
    constraint unsettled_threads_pkey primary key (activity_uuid),
    constraint unsettled_threads_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

-- Makes the replies to the activity top end with it, and the replies to these replies, too: at most "most" replies. Returns how many it
-- changed. The rest is noted for the purge in unsettled_threads, so that the work of a request does not grow with the replies of others.
-- Activities are locked from the top of a thread downwards, as everywhere. A reply that was deleted by itself stays as it is.
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
        select uuid, case when hidden_expires_at is null then expires_at else nullif(hidden_expires_at, 'infinity') end as expires_at, deleted_at
        into parent
        from public.activities
        where uuid = waiting[1]
        for no key update;
        with moving as (
            select uuid
            from public.activities
            where reply_to_activity_uuid = parent.uuid
                and deleted_at is null
                and case when hidden_expires_at is null then expires_at else nullif(hidden_expires_at, 'infinity') end
                    is distinct from parent.expires_at
            limit most - done
            for no key update
        ),
        moved as (
            update public.activities a
            set expires_at = case when a.hidden_expires_at is null or parent.deleted_at is not null then parent.expires_at else a.expires_at end,
                hidden_expires_at = case
                    when a.hidden_expires_at is not null and parent.deleted_at is null then coalesce(parent.expires_at, 'infinity')
                end,
                deleted_at = parent.deleted_at
            from moving
            where a.uuid = moving.uuid
            returning a.uuid, a.replies_count
        )
        select count(*), coalesce(array_agg(m.uuid) filter (where public.has_replies(m.uuid, m.replies_count)), '{}')
        into moved, below
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

-- Makes the replies end with an activity whose end was changed: at once if there are at most 50, otherwise by the purge.
create function settle(top uuid, replies_count integer) returns integer
    language sql
as $$
    select public.settle_replies(top, case when replies_count <= 50 then 50 else 0 end)
$$;
revoke all on function settle(uuid, integer) from public;

-- A suspended user's activities are hidden: expires_at is -infinity, so no statement shows them, and hidden_expires_at has the earlier
-- expires_at. The counts of the activities that they reply to do not include them. Replies of others to them stay.

-- Whether an activity has replies that end with it, hidden ones included, which are not in its replies_count.
create function has_replies(id uuid, replies_count integer) returns boolean
    language sql
    stable
as $$
    select
        replies_count > 0
        or exists (select from public.activities where reply_to_activity_uuid = id and hidden_expires_at is not null)
$$;
revoke all on function has_replies(uuid, integer) from public;

-- Hides at most "most" activities of a user. Returns how many. The activities and their parents are locked from old to new, so that a
-- parent is locked before its replies, as everywhere.
create function hide_activities(author uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    parents uuid[];
begin
    touched := array(
        select uuid
        from public.activities
        where user_uuid = author
            and public.is_live(expires_at)
        limit most
    );
    perform
    from public.activities
    where uuid in (
        select unnest(touched)
        union all
        select reply_to_activity_uuid from public.activities where uuid = any (touched)
    )
    order by created_at, uuid
    for no key update;
    with hidden as (
        update public.activities
        set hidden_expires_at = coalesce(expires_at, 'infinity'), expires_at = '-infinity'
        where uuid = any (touched)
            and public.is_live(expires_at)
        returning reply_to_activity_uuid
    )
    select array_agg(reply_to_activity_uuid) into parents from hidden where reply_to_activity_uuid is not null;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (select parent, count(*) as replies from unnest(parents) hidden (parent) group by parent) gone
    where p.uuid = gone.parent;
    return cardinality(touched);
end
$$;

-- Shows the activities of the array "hidden" again. They may be of one suspended user or of several.
create function show_activities(hidden uuid[]) returns void
    language plpgsql
as $$
declare
    parents uuid[];
begin
    perform
    from public.activities
    where uuid in (
        select unnest(hidden)
        union all
        select reply_to_activity_uuid from public.activities where uuid = any (hidden)
    )
    order by created_at, uuid
    for no key update;
    with shown as (
        update public.activities
        set expires_at = nullif(hidden_expires_at, 'infinity'), hidden_expires_at = null
        where uuid = any (hidden)
            and hidden_expires_at is not null
        returning reply_to_activity_uuid
    )
    select array_agg(reply_to_activity_uuid) into parents from shown where reply_to_activity_uuid is not null;
    update public.activities p
    set replies_count = p.replies_count + back.replies
    from (select parent, count(*) as replies from unnest(parents) shown (parent) group by parent) back
    where p.uuid = back.parent;
end
$$;

-- The purge's part: hidden activities that would have expired by now become expired ones, "batch" at most. Returns how many.
create function release_hidden(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    ended uuid[] := array(
        select uuid
        from public.activities
        where hidden_expires_at <= now()
        order by hidden_expires_at
        limit batch
    );
begin
    if ended <> '{}' then
        perform public.show_activities(ended);
    end if;
    return cardinality(ended);
end
$$;
revoke all on function hide_activities(uuid, integer), show_activities(uuid[]), release_hidden(integer) from public;

-- The purge's part of settle_replies, for one thread and at most "batch" replies. Returns how many replies it changed, 0 if it found no
-- thread, or -1 if it found one without a reply to change.
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

create trigger activities_check
    before insert or update on activities
    for each row
    execute function check_activity();

create trigger activities_search
    before insert or update of message, created_at, search, tags on activities
    for each row
    execute function set_activity_search();

-- The pending list of the index is short (256 kB), so that an insert that empties the list does not take long. A search has to read the
-- list as well.
create index activities_search_idx on activities using gin (search) with (gin_pending_list_limit = 256);
create index activities_created_at_idx on activities (created_at desc, uuid desc);
create index activities_live_tags_idx on activities (created_at desc, uuid desc)
    where tags is not null and (expires_at is null or expires_at > '-infinity');
create index activities_tags_idx on activities (created_at desc, uuid desc) where tags is not null;
comment on index activities_tags_idx is 'deprecated: activities_live_tags_idx';

-- How many users, posts and replies were created in each quarter of an hour, which begins at "at" (a day of any time zone begins with a
-- quarter), or in each day in UTC once that day is 400 days ago. The sum of all rows of a time counts, so no write waits for another one.
-- Up to growth_closed.until the rows count everything. What was created later is counted in its own table, and here only if it was
-- deleted. A post counts for ever, a deleted user does not.
create table growth (
    at      timestamptz not null,
    users   bigint      not null default 0,
    posts   bigint      not null default 0,
    replies bigint      not null default 0
);

create index growth_at_idx on growth (at);

create table growth_closed (until timestamptz not null);
create unique index growth_closed_single_key on growth_closed ((true));
insert into growth_closed (until) values ('-infinity');

-- A row for each user, post and reply that is in the tables.
create view growth_rows as
select created_at as at, 1 as users, 0 as posts, 0 as replies from users
union all
select created_at, 0, (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer from activities;

-- Counts a row that is inserted in a closed time, moved from or to one, or (a user) deleted from one. The rows are read as JSON, which
-- works for both tables.
create function note_growth() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    insert into public.growth (at, users, posts, replies)
    select
        date_bin('15 minutes', created_at, 'epoch'),
        number * (tg_table_name = 'users')::integer,
        number * (tg_table_name = 'activities' and changed ->> 'reply_to_activity_uuid' is null)::integer,
        number * (changed ->> 'reply_to_activity_uuid' is not null)::integer
    from (values (to_jsonb(old), -1), (to_jsonb(new), 1)) change (changed, number)
    cross join lateral cast(changed ->> 'created_at' as timestamptz) created_at
    cross join public.growth_closed
    where created_at < until;
    return null;
end
$$;

create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at <> now())
    execute function note_growth();
create trigger activities_growth_moved
    after update of created_at on activities
    for each row
    execute function note_growth();

-- The uuids of deleted activities that were made with an Idempotency-Key. A repeated request does not create them again for seven
-- days. Such a uuid has version 5 (RFC 9562); all others have version 4.
create table used_keys (
    uuid    uuid        not null,
    gone_at timestamptz not null default now(),
    constraint used_keys_pkey primary key (uuid)
);

create index used_keys_gone_at_idx on used_keys (gone_at);

-- Notes deleted activities: their uuids in used_keys if they were made with a key, and their numbers in growth if their time is not closed.
create function note_gone_activities() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from gone) then
        return null;
    end if;
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    insert into public.growth (at, posts, replies)
    select date_bin('15 minutes', created_at, 'epoch'), (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer
    from gone, public.growth_closed
    where created_at >= until;
    insert into public.used_keys (uuid)
    select uuid from gone where substr(uuid::text, 15, 1) = '5'
    on conflict (uuid) do update set gone_at = excluded.gone_at;
    return null;
end
$$;

create trigger activities_gone
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_gone_activities();

-- Whether the activity that was made with an Idempotency-Key has been deleted. The row lock waits for a transaction that is deleting
-- the activity, and blocks later ones. The second query has its own snapshot and sees the key that such a transaction left. The lock
-- is as strong as that of the following insert ... on conflict, so that two callers cannot deadlock. A reply's parent is locked first.
create function is_key_used(key uuid) returns boolean
    language plpgsql
as $$
begin
    perform from public.activities where uuid = key for update;
    return exists (select from public.used_keys where uuid = key);
end
$$;
revoke all on function is_key_used(uuid) from public;

-- Deletes at most "batch" keys that are older than seven days. Returns their number.
create function purge_used_keys(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    done integer;
begin
    delete from public.used_keys
    where uuid in (
        select uuid
        from public.used_keys
        where gone_at < now() - interval '7 days'
        order by gone_at
        limit batch
        for update skip locked
    );
    get diagnostics done = row_count;
    return done;
end
$$;
revoke all on function purge_used_keys(integer) from public;

-- The author's activity with this text in the last "seconds": a top-level activity with this lifetime (parent is null), or a reply to
-- parent. Concurrent requests are serialized: the caller locks the parent's row, or takes an advisory lock of author and text in the
-- argument is_locked, which is evaluated before the call. The query in the function has its own snapshot, taken after the lock.
create function recent_twin(
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
revoke all on function recent_twin(uuid, uuid, text, interval, integer, boolean) from public;

create trigger users_growth_late
    after insert on users
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_growth();
create trigger users_growth_moved
    after delete or update of created_at on users
    for each row
    execute function note_growth();

create index users_created_at_idx on users (created_at);

-- Closes a day of growth, at most up to an hour ago: by then, inserts of that time have been committed. Returns whether there is more to
-- close. Deletes, and inserts of older rows, wait until its transaction ends. It also merges rows of growth that belong to one time, at
-- most rows_most of them.
create function close_growth() returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target    constant timestamptz := date_bin('15 minutes', now() - interval '1 hour', 'epoch');
    rows_most constant integer     := 20000;
    begins    timestamptz;
    ends      timestamptz;
begin
    perform pg_advisory_xact_lock(1668445540, 1);
    select until into begins from public.growth_closed;
    ends := least(date_trunc('day', (select min(at) from public.growth_rows where at >= begins), 'UTC') + interval '1 day', target);
    if ends <= begins then
        return false;
    end if;
    with taken as (
        delete from public.growth
        where ctid = any (array(
            select ctid
            from public.growth
            where at in (select at from public.growth group by at having count(*) > 1)
                or (at < now() - interval '400 days' and at <> date_trunc('day', at, 'UTC'))
            limit rows_most
        ))
        returning *
    )
    insert into public.growth (at, users, posts, replies)
    select
        case when at < now() - interval '400 days' then date_trunc('day', at, 'UTC') else date_bin('15 minutes', at, 'epoch') end as place,
        sum(users), sum(posts), sum(replies)
    from (table taken union all select * from public.growth_rows where at >= begins and at < ends) made
    group by place;
    update public.growth_closed set until = ends;
    return ends < target;
end
$$;
revoke all on function note_growth(), note_gone_activities(), close_growth() from public;

-- How many posts and replies were purged in all, and when a purge last finished. Only purges write to this table, one at a time.
create table purge_progress (
    is_it       boolean     not null default true,
    posts       bigint      not null default 0,
    finished_at timestamptz, -- null: none has finished
    constraint purge_progress_pkey primary key (is_it),
    constraint purge_progress_is_it_check check (is_it)
);

insert into purge_progress default values;

-- The activities above a reply, from the top of its thread down to the reply's parent; of more than 100 the nearest 100.
create function thread_above(id uuid) returns uuid[]
    language plpgsql
    stable
as $$
declare
    above uuid[] := '{}';
begin
    for height in 1 .. 100 loop
        select reply_to_activity_uuid into id from public.activities where uuid = id;
        exit when id is null;
        above := id || above;
    end loop;
    return above;
end
$$;
revoke all on function thread_above(uuid) from public;

-- Deletes expired activities, and activities that were marked as deleted a day ago: at most "batch" of them, with at most 20 * batch likes
-- and 20 * batch reposts (and as many notifications). Returns how many it deleted, or -1 if it only deleted that many likes and reposts of
-- one activity that has more. It takes locks only where it need not wait for them. Replies are deleted before their parents, so that no
-- cascade makes a batch larger than that (unless a reply was made by hand to outlive its parent). A reply stays while any activity above it is
-- in unsettled_threads, or the top of its thread is locked, because the reply may be going to be kept with it. If the top is more than 100
-- levels above all that is to be deleted, it is not looked for: such replies stay while any thread is unsettled. The replies_count of a parent
-- that stays is reduced. The service's sessions have incremental sort off (sql/session/begin.sql); here it is on, because without it the
-- oldest activities are found by sorting all that have expired.
create function purge_expired(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
    set enable_incremental_sort = on
as $$
declare
    most    integer := 20 * batch;
    doomed  uuid[];
    below   uuid[];
    parents uuid[];
    spared  uuid[];
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
    -- Replies that are not in the list would go by a cascade: so they go first, and what is above them another time.
    loop
        below := array(
            select uuid
            from public.activities
            where reply_to_activity_uuid = any (doomed)
                and uuid <> all (doomed)
                and expires_at <= now()
            limit batch
        );
        exit when below = '{}';
        doomed := (below || doomed)[:batch];
    end loop;
    -- Another transaction that has locked a post may be keeping it, with its whole thread. A post that is locked here is not kept meanwhile.
    parents := array(
        select p.uuid
        from public.activities p
        where p.uuid in (
            select reply_to_activity_uuid from public.activities where uuid = any (doomed)
            union all
            select (public.thread_above(uuid))[1]
            from public.activities
            where uuid = any (doomed)
                and deleted_at is null
                and reply_to_activity_uuid <> all (doomed)
        )
        order by p.created_at, p.uuid
        for no key update skip locked
    );
    spared := array(
        with recursive spared as (
            select a.uuid
            from public.activities a
            where a.uuid = any (doomed)
                and (
                    exists (select from public.unsettled_threads where activity_uuid = a.uuid)
                    or (
                        a.deleted_at is null
                        and case
                            when a.reply_to_activity_uuid is null then false
                            when not a.reply_to_activity_uuid = any (parents) then true
                            when a.reply_to_activity_uuid = any (doomed) then false -- what is above it decides
                            else (
                                select
                                    not above[1] = any (parents)
                                    or exists (select from public.unsettled_threads where activity_uuid = any (above))
                                    or (cardinality(above) = 100 and exists (select from public.unsettled_threads))
                                from public.thread_above(a.uuid) above
                            )
                        end
                    )
                )
            union
            select a.uuid
            from spared
            join public.activities a on a.reply_to_activity_uuid = spared.uuid
            where a.uuid = any (doomed)
                and a.deleted_at is null
        )
        select uuid from spared
    );
    doomed := array(
        select a.uuid
        from public.activities a
        where a.uuid = any (doomed)
            and a.uuid <> all (spared)
            and a.expires_at <= now() -- still: it may be kept for longer now
            and (a.reply_to_activity_uuid is null or a.reply_to_activity_uuid = any (parents))
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
    where p.uuid = gone.reply_to_activity_uuid
        and p.uuid <> all (doomed);
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

-- One step of the service's own purge, in a transaction of its own. Returns how much was done, 0 if nothing is left to do. "batch" limits
-- a step as in purge_expired. Threads come first, so that replies end with their parents; then growth, which counts the rows that are
-- still in the tables.
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
    -- What a user that leaves has written goes first, and away in the same step, so that the user's index stays short.
    done := public.release_hidden(batch);
    if done = 0 then
        -- In this order: departures wait for locks, and purge_expired, which never waits, keeps those that it takes.
        done := public.purge_departures(batch) + abs(public.purge_expired(batch));
    end if;
    if done = 0 then
        done := public.renew_activities(batch);
    end if;
    if done = 0 then
        done := public.purge_used_keys(batch);
    end if;
    if done = 0 then
        done := public.purge_messages(batch);
    end if;
    if done <> 0 then
        return abs(done);
    end if;
    -- Once a minute is enough, as every write makes the cached pages old.
    if exists (select from public.purge_progress where coalesce(finished_at < now() - interval '1 minute', true)) then
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;
revoke all on function purge_step(integer) from public;

-- Reports of activities, for the operators: one for each activity and reporter. The message is a copy, because the activity may expire
-- before an operator reads the report. bin/reports lists the open reports, and deletes resolved ones after 30 days.
create table reports (
    activity_uuid uuid        not null, -- no foreign key, because the activity may be purged
    reporter_uuid uuid        not null,
    author_uuid   uuid        not null,
    message       text        not null,
    reason        text        not null,
    created_at    timestamptz not null default now(),
    resolved_at   timestamptz, -- null: open
    constraint reports_pkey primary key (activity_uuid, reporter_uuid),
    constraint reports_reporter_uuid_fkey foreign key (reporter_uuid) references users (uuid) on delete cascade,
    constraint reports_author_uuid_fkey foreign key (author_uuid) references users (uuid) on delete cascade,
    constraint reports_reason_check check (char_length(reason) between 1 and 500)
);

create index reports_reporter_idx on reports (reporter_uuid, created_at desc);
create index reports_author_idx on reports (author_uuid);

-- A conversation of two users; there is one for each pair, the smaller uuid first. It is kept until both users
-- are deleted. A deleted user is null.
create table message_groups (
    uuid              uuid        not null default gen_random_uuid(),
    first_user_uuid   uuid,
    second_user_uuid  uuid,
    last_message_at   timestamptz not null default now(),
    created_at        timestamptz not null default now(),
    moved_by          xid8 default pg_current_xact_id(), -- the transaction that wrote last_message_at; null: see activities
    constraint message_groups_pkey primary key (uuid),
    constraint message_groups_first_user_uuid_fkey foreign key (first_user_uuid) references users (uuid) on delete set null,
    constraint message_groups_second_user_uuid_fkey foreign key (second_user_uuid) references users (uuid) on delete set null,
    constraint message_groups_pair_key unique (first_user_uuid, second_user_uuid),
    constraint message_groups_pair_check check (first_user_uuid < second_user_uuid)
);

create index message_groups_first_user_idx on message_groups (first_user_uuid, last_message_at desc, uuid desc);
create index message_groups_second_user_idx on message_groups (second_user_uuid, last_message_at desc, uuid desc);

create table messages (
    uuid               uuid        not null default gen_random_uuid(),
    message_group_uuid uuid        not null,
    user_uuid          uuid,       -- the sender; null: a deleted user
    message            text        not null,
    created_at         timestamptz not null default now(),
    written_by         xid8 default pg_current_xact_id(), -- as in activities
    expires_at         timestamptz, -- null: never
    deleted_at         timestamptz, -- null: not deleted; otherwise no statement shows it, and the purge deletes the row an hour later
    constraint messages_pkey primary key (uuid),
    constraint messages_message_group_uuid_fkey foreign key (message_group_uuid)
        references message_groups (uuid) on delete cascade,
    constraint messages_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete set null,
    constraint messages_message_check check (char_length(message) between 1 and 1024)
);

create index messages_group_idx on messages (message_group_uuid, created_at desc, uuid desc);
create index messages_user_idx on messages (user_uuid, created_at desc);
create index messages_sender_idx on messages (user_uuid, message_group_uuid, created_at);
create index messages_expires_at_idx on messages (expires_at) where expires_at is not null;
create index messages_deleted_at_idx on messages (deleted_at) where deleted_at is not null;

-- Up to which time a user has read the other user's messages in a conversation. No row: none was read.
create table conversation_reads (
    message_group_uuid uuid        not null,
    user_uuid          uuid        not null,
    read_at            timestamptz not null,
    constraint conversation_reads_pkey primary key (message_group_uuid, user_uuid),
    constraint conversation_reads_message_group_uuid_fkey foreign key (message_group_uuid)
        references message_groups (uuid) on delete cascade,
    constraint conversation_reads_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

create index conversation_reads_user_idx on conversation_reads (user_uuid);

-- Notes the keys of deleted messages, as note_gone_activities does.
create function note_gone_messages() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.used_keys (uuid)
    select uuid from gone where substr(uuid::text, 15, 1) = '5'
    on conflict (uuid) do update set gone_at = excluded.gone_at;
    return null;
end
$$;
revoke all on function note_gone_messages() from public;

create trigger messages_gone
    after delete on messages
    referencing old table as gone
    for each statement
    execute function note_gone_messages();

-- Whether the message that was made with an Idempotency-Key has been purged, as is_key_used for activities.
create function is_message_key_used(key uuid) returns boolean
    language plpgsql
as $$
begin
    perform from public.messages where uuid = key for update;
    return exists (select from public.used_keys where uuid = key);
end
$$;
revoke all on function is_message_key_used(uuid) from public;

-- Deletes at most "batch" messages: expired ones, and those that were marked as deleted an hour ago. Returns their number.
create function purge_messages(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    doomed uuid[];
begin
    doomed := array(
        select uuid
        from public.messages
        where expires_at <= now()
        order by expires_at
        limit batch
        for update skip locked
    );
    doomed := doomed || array(
        select uuid
        from public.messages
        where deleted_at < now() - interval '1 hour'
        order by deleted_at
        limit batch - cardinality(doomed)
        for update skip locked
    );
    delete from public.messages where uuid = any (doomed);
    return cardinality(doomed);
end
$$;
revoke all on function purge_messages(integer) from public;

-- After how many seconds the author may make another row in a table (activities, messages or reports), if the author has made "most" rows
-- in it within the last hour; null: the author may make one now. "most" is 0: any number is allowed. Deleted and expired rows count until
-- they are purged.
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

-- Parts that the statements of sql/messages/ share, as above.
-- A user's conversations behind a position, the newest message first; at most 250 with the user as first_user_uuid, and 250 as
-- second_user_uuid.
create function conversations(mine uuid, at timestamptz, id uuid)
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
revoke all on function conversations(uuid, timestamptz, uuid) from public;

-- Refuses new blank messages, as check_activity does. is_blank is not in the trigger's WHEN clause, which is planned again for
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

-- Gives a new message a time after the last one of its conversation and moves the conversation to the top. Nothing is changed if the
-- message exists already. The conversation is locked until the end of the transaction, so its messages become visible in the order of
-- their times. Each has a millisecond of its own, as notifications have (see next_notification_at): a reader that marks all up to a
-- message, by a time cut to milliseconds, marks no later one. expires_at moves along. last_message_at never goes back, whatever is
-- deleted or purged.
create function place_message() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    last_at   timestamptz;
    first     uuid;
    second    uuid;
begin
    select last_message_at, first_user_uuid, second_user_uuid into last_at, first, second
    from public.message_groups
    where uuid = new.message_group_uuid
    for no key update;
    if public.is_blocked_now(first, second) or (new.user_uuid is not null and public.is_suspended_now(new.user_uuid)) then
        -- The service sends it again, and the statement then says why it is refused.
        raise serialization_failure using message = 'a block or a suspension was made while the message waited for the conversation';
    end if;
    if not exists (select from public.messages where uuid = new.uuid) then
        if last_at > now() or exists (select from public.messages where message_group_uuid = new.message_group_uuid) then
            new.created_at := greatest(
                now(),
                case
                    when last_at < clock_timestamp() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
                    else last_at + interval '1 microsecond'
                end
            );
            new.expires_at := new.expires_at + (new.created_at - now());
        end if;
        update public.message_groups
        set last_message_at = new.created_at, moved_by = pg_current_xact_id()
        where uuid = new.message_group_uuid;
    end if;
    return new;
end
$$;
revoke all on function place_message() from public;

-- Imported messages keep their times.
create trigger messages_place
    before insert on messages
    for each row
    when (new.created_at = now())
    execute function place_message();

create function drop_left_conversation() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from public.message_groups where uuid = new.uuid;
    return null;
end
$$;
revoke all on function drop_left_conversation() from public;

create trigger message_groups_left
    after update on message_groups
    for each row
    when (new.first_user_uuid is null and new.second_user_uuid is null)
    execute function drop_left_conversation();

-- Deletes at most "most" likes and as many reposts of a user, and corrects the counts of the activities concerned. These activities are
-- locked first, from old to new as in all statements that lock more than one, because an older one may be the parent of a newer one.
-- Returns the number of rows deleted.
create function take_back_marks(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    liked    uuid[] := array(select activity_uuid from public.likes where user_uuid = actor limit most);
    reposted uuid[] := array(select activity_uuid from public.reposts where user_uuid = actor limit most);
begin
    perform from public.activities where uuid = any (liked || reposted) order by created_at, uuid for no key update;
    with taken as (
        delete from public.likes where user_uuid = actor and activity_uuid = any (liked) returning activity_uuid
    )
    update public.activities a
    set likes_count = greatest(a.likes_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    with taken as (
        delete from public.reposts where user_uuid = actor and activity_uuid = any (reposted) returning activity_uuid
    )
    update public.activities a
    set reposts_count = greatest(a.reposts_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    return cardinality(liked) + cardinality(reposted);
end
$$;

-- Does the same as take_back_marks. If no like or repost is left, it deletes at most "most" activities of a user, with the replies to them,
-- and corrects the counts of their parents, which are locked first. Returns the number of rows deleted.
create function take_back_all(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    done    integer;
begin
    -- As the purge, which has this lock before those of activities; note_gone_activities takes it.
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    done := public.take_back_marks(actor, most);
    if done > 0 then
        return done;
    end if;
    touched := array(select uuid from public.activities where user_uuid = actor limit most);
    perform
    from public.activities
    where uuid in (select reply_to_activity_uuid from public.activities where uuid = any (touched))
    order by created_at, uuid
    for no key update;
    update public.activities p
    set replies_count = greatest(p.replies_count - taken.replies, 0)
    from (
        select reply_to_activity_uuid, count(*) as replies
        from public.activities
        where uuid = any (touched)
            and deleted_at is null
            and hidden_expires_at is null
        group by reply_to_activity_uuid
    ) taken
    where p.uuid = taken.reply_to_activity_uuid
        and p.uuid <> all (touched);
    delete from public.activities where uuid = any (touched);
    get diagnostics done = row_count;
    return done;
end
$$;
revoke all on function take_back_marks(uuid, integer), take_back_all(uuid, integer) from public;

-- Corrects the counts before a user is deleted. bin/user-delete does the same in small transactions beforehand.
create function note_leaving_user() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    while public.take_back_all(old.uuid, 1000) > 0 loop
    end loop;
    return old;
end
$$;
revoke all on function note_leaving_user() from public;

create trigger users_leave
    before delete on users
    for each row
    execute function note_leaving_user();

-- Users that deleted their own accounts (DELETE /api/profile). Such a user loses handle, name, address and subject at once (see depart);
-- the purge deletes the user's rows (see purge_departures). The row in this table stays for an hour longer than the row in users, so that
-- a repeated request gets the same answer. Therefore it has no foreign key.
create table departures (
    user_uuid       uuid        not null,
    cognito_user_id text        not null,
    folded_handle   text        collate "C" not null,
    due_at          timestamptz not null default now(), -- when the purge reads it next
    left_at         timestamptz not null default now(),
    constraint departures_pkey primary key (user_uuid)
);

create index departures_handle_idx on departures (folded_handle, cognito_user_id);
create index departures_due_at_idx on departures (due_at);
create index departures_subject_idx on departures (cognito_user_id);

-- Notes the departure of a user and replaces the identity by random values, which no other user has. suspended_at keeps the user out of
-- suggestions. The update waits for a request of the user's that is under way; what that request wrote is purged like the rest.
create function depart(leaving uuid) returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.departures (user_uuid, cognito_user_id, folded_handle)
    select uuid, cognito_user_id, folded_handle from public.users where uuid = leaving
    on conflict (user_uuid) do nothing;
    if found then
        update public.users
        set handle = 'deleted_' || replace(gen_random_uuid()::text, '-', ''),
            display_name = 'Deleted user',
            email = gen_random_uuid() || '@deleted.invalid',
            cognito_user_id = 'deleted:' || gen_random_uuid(),
            bio = '',
            suspended_at = now()
        where uuid = leaving;
    end if;
    return true;
end
$$;

-- The user with this subject and handle that has left; null: there is none, or the hour is over. The row is updated without a change,
-- because only a transaction that writes waits for the standby before it is acknowledged. sub: null accepts any subject.
create function departed(sub text, name text) returns uuid
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    update public.departures
    set due_at = due_at
    where user_uuid = (
        select user_uuid
        from public.departures
        where folded_handle = public.fold_text(name)
            and (sub is null or cognito_user_id = sub)
        limit 1
    )
    returning user_uuid
$$;

-- Marks at most "most" activities of a user that leaves as deleted. Returns how many. They are marked as if they had been deleted 25 hours
-- ago, so that purge_expired deletes them next. Their replies end with them, see settle_replies. Activities that the user had deleted
-- before are purged a day after that. The activities and their parents are locked from old to new, as in hide_activities.
create function withdraw_activities(author uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    parents uuid[];
begin
    touched := array(
        select uuid
        from public.activities
        where user_uuid = author
            and deleted_at is null
        limit most
    );
    perform
    from public.activities
    where uuid in (
        select unnest(touched)
        union all
        select reply_to_activity_uuid from public.activities where uuid = any (touched)
    )
    order by created_at, uuid
    for no key update;
    parents := array(
        select reply_to_activity_uuid
        from public.activities
        where uuid = any (touched)
            and deleted_at is null
            and hidden_expires_at is null
            and reply_to_activity_uuid is not null
    );
    insert into public.unsettled_threads (activity_uuid)
    select uuid
    from public.activities
    where uuid = any (touched)
        and public.has_replies(uuid, replies_count)
    on conflict do nothing;
    update public.activities
    set deleted_at = now() - interval '25 hours', expires_at = '-infinity', hidden_expires_at = null
    where uuid = any (touched)
        and deleted_at is null;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (select parent, count(*) as replies from unnest(parents) withdrawn (parent) group by parent) gone
    where p.uuid = gone.parent;
    return cardinality(touched);
end
$$;

-- Deletes the rows that name a user that leaves, except activities, likes and reposts: at most "most" rows for each column that names the
-- user. Returns the number of rows. Messages and conversations stay for the other user, without the name. A conversation that has no user
-- left is deleted, its messages first. So is one that a block hides from both, before the block: it would come back without it.
create function forget_user(leaving uuid, most integer) returns integer
    language plpgsql
as $$
declare
    gone   integer;
    done   integer := 0;
    others uuid[]  := array(
        (select blocked_uuid from public.blocks where user_uuid = leaving limit most)
        union
        (select user_uuid from public.blocks where blocked_uuid = leaving limit most)
    );
    hidden uuid[]  := array(
        select g.uuid
        from unnest(others) other
        join public.message_groups g on g.first_user_uuid = least(leaving, other) and g.second_user_uuid = greatest(leaving, other)
    );
begin
    delete from public.messages
    where uuid in (select uuid from public.messages where message_group_uuid = any (hidden) limit most);
    get diagnostics gone = row_count;
    done := done + gone;
    if gone < most then
        delete from public.message_groups where uuid = any (hidden);
        delete from public.blocks
        where (user_uuid = leaving and blocked_uuid = any (others))
            or (blocked_uuid = leaving and user_uuid = any (others));
        get diagnostics gone = row_count;
        done := done + gone;
    end if;
    delete from public.notifications
    where (user_uuid, created_at, uuid) in (
        (select user_uuid, created_at, uuid from public.notifications where user_uuid = leaving limit most)
        union all
        (select user_uuid, created_at, uuid from public.notifications where actor_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.withdrawn_notifications
    where key in (
        (select key from public.withdrawn_notifications where user_uuid = leaving limit most)
        union all
        (select key from public.withdrawn_notifications where actor_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.follows
    where (follower_uuid, followed_uuid) in (
        (select follower_uuid, followed_uuid from public.follows where follower_uuid = leaving limit most)
        union all
        (select follower_uuid, followed_uuid from public.follows where followed_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.mutes
    where (user_uuid, muted_uuid) in (
        (select user_uuid, muted_uuid from public.mutes where user_uuid = leaving limit most)
        union all
        (select user_uuid, muted_uuid from public.mutes where muted_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.reports
    where (activity_uuid, reporter_uuid) in (
        (select activity_uuid, reporter_uuid from public.reports where reporter_uuid = leaving limit most)
        union all
        (select activity_uuid, reporter_uuid from public.reports where author_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.conversation_reads
    where (message_group_uuid, user_uuid) in (
        select message_group_uuid, user_uuid from public.conversation_reads where user_uuid = leaving limit most
    );
    get diagnostics gone = row_count;
    done := done + gone;
    update public.messages
    set user_uuid = null
    where uuid in (select uuid from public.messages where user_uuid = leaving limit most);
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.messages
    where uuid in (
        select m.uuid
        from public.message_groups g
        join public.messages m on m.message_group_uuid = g.uuid
        where (g.first_user_uuid = leaving and g.second_user_uuid is null)
            or (g.second_user_uuid = leaving and g.first_user_uuid is null)
        limit most
    );
    get diagnostics gone = row_count;
    done := done + gone;
    if done = 0 then
        update public.message_groups
        set first_user_uuid = nullif(first_user_uuid, leaving), second_user_uuid = nullif(second_user_uuid, leaving)
        where uuid in (
            (select uuid from public.message_groups where first_user_uuid = leaving limit most)
            union all
            (select uuid from public.message_groups where second_user_uuid = leaving limit most)
        );
        get diagnostics done = row_count;
    end if;
    return done;
end
$$;

-- The purge's part of a departure, for one user at a time. Returns how much was done. "batch" limits it for each table. The user's row is
-- deleted last, when no activity is left. If only activities are left that the user had deleted before, the departure is due when they have
-- been deleted for a day, and not every few seconds, because every write makes the cached pages stale.
create function purge_departures(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    leaving uuid;
    done    integer;
begin
    select user_uuid into leaving
    from public.departures
    where due_at <= now()
    order by due_at
    limit 1
    for no key update skip locked;
    if leaving is null then
        return 0;
    elsif not exists (select from public.users where uuid = leaving) then
        delete from public.departures where user_uuid = leaving;
        return 1;
    end if;
    done := public.withdraw_activities(leaving, batch);
    if done = 0 then
        done := public.take_back_marks(leaving, batch);
    end if;
    if done = 0 then
        done := public.forget_user(leaving, batch);
    end if;
    if done = 0 and not exists (select from public.activities where user_uuid = leaving) then
        delete from public.users where uuid = leaving;
        update public.departures set due_at = now() + interval '1 hour' where user_uuid = leaving;
        return 1;
    elsif done = 0 then
        update public.departures
        set due_at = greatest(
            now() + interval '10 seconds',
            (
                select max(deleted_at) + interval '1 day'
                from (select deleted_at from public.activities where user_uuid = leaving limit batch) remaining
            )
        )
        where user_uuid = leaving;
    end if;
    return done;
end
$$;
revoke all on function depart(uuid), departed(text, text), withdraw_activities(uuid, integer), forget_user(uuid, integer),
    purge_departures(integer) from public;

-- Functions that only templates of an earlier release call. A host runs such templates from the migration until its reload.
-- doc/hacking.md ("Add a migration") has the rule by which they are dropped.
create function full_hour(what text, author uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select wait_s from public.retry_after_s(what, author, most) wait_s where wait_s is not null
$$;
revoke all on function full_hour(text, uuid, integer) from public;
comment on function full_hour(text, uuid, integer) is 'deprecated: retry_after_s';

create function replies_page(
    parent uuid, is_newest boolean, after_us bigint, after_uuid uuid, most integer,
    viewer uuid, is_asked boolean, has_hidden boolean
) returns table (list json, next_key text)
    language sql
    stable
    rows 1
as $$
    select list, next_key from public.replies_page(parent, is_newest, after_us, after_uuid, most, viewer, is_asked)
$$;
revoke all on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean) from public;
comment on function replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean) is 'deprecated: without has_hidden';

create function shown_activity(id uuid, name text, viewer uuid, is_asked boolean) returns table (
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
revoke all on function shown_activity(uuid, text, uuid, boolean) from public;
comment on function shown_activity(uuid, text, uuid, boolean) is 'deprecated: show_activity';

create function search_step(loose tsquery, fit tsquery, rung integer, enough integer) returns table (uuids uuid[], seen bigint)
    language sql
    stable
    rows 1
as $$
    select uuids, seen from public.search_step(loose, fit, rung, enough, null, false)
$$;
revoke all on function search_step(tsquery, tsquery, integer, integer) from public;
comment on function search_step(tsquery, tsquery, integer, integer) is 'deprecated: without a viewer';

-- The migrations that this file contains, so that bin/db-migrate has nothing to do after a load. A change of this file comes with a
-- migration and its row here; checksum is the output of sha256sum for sql/migrations/NNNN_name.up.sql. The scripts append a blank and the
-- checksum of NNNN_name.down.sql.
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
    (10, 'environment', '78c3c55b9c8ca830b279a2508097dda75b73c2a44d8c3c1cb6843583a9193c17'),
    (11, 'text', '64dc709a74e0a34411749c0dd198509abd51facfbb973bf8c6394b06c74f7531'),
    (12, 'reads', '93db1b4c1228fb158d3ff15b3f31008f43a04c3d694c9f36dfd9e1e60850c2db'),
    (13, 'followers', '0c142bca8c545fe270cb791a08f49603c29351b7a79feb2d8d93c05bfb8af76f'),
    (14, 'diet', 'e3ef45edc201b896fd3d065b19855c735202838e380b6d90c321a8f8f026809e'),
    (15, 'walks', '22406c0e4ea67c0fb6953b3b6d12d2c96967ffdff16d0da0c3c5f953eb0443a5'),
    (16, 'growth', '55b170d7f79606fb9dd0cadbc8eaa0f4e759fed7cdf5642f5e5df0831da615dd'),
    (17, 'messages_end', 'fb45b90c34f221f72e5c953b1a5dac9ac60b244b6acbc1b65d4d74301c7a6467'),
    (18, 'moderation', 'f4bfd175e55a2a0e12c5a95e5f450495035dd85a2673fa034afadd56b73c49ba'),
    (19, 'markers', '194caafaee333917b232dbf62da56d08225cba151c4fb0ddf9d5ac3bde7e23ac'),
    (20, 'growth_days', 'dac06e71bfc1abb1aa6f2d785c2dbdc1c75dca5392e0091c3e1b273fbc39f52d'),
    (21, 'blocks', '27146ee481257d67bd19899f6c694108b27eb223e404fe8a4c1c36f23ac9eb45'),
    (22, 'full_hour', 'b91853a40ed653e07c044f7f3da66d23228b1f34d3221f61f2ae80bb7b935aba'),
    (23, 'growth_rows', '7dda6b55f797d48a8c57788a27495d5007c47edd911e06b5d1a2f0ba151973ad'),
    (24, 'earlier_reposts', '5f057e98faba8dc3d18dd4eb4867ade4d02a74d71b02979b21008c60d34f3b73'),
    (25, 'departures', '72ab48d8e5a9c0432d9e92c82f87476279f64bd6733254b9457cebd89d75f8f2'),
    (26, 'plans', '6e65a04fcbe894231a318fc7b92e101bccd46bd9e2edaa1278f9897e0adee4c2'),
    (27, 'own_milliseconds', '9445c4c2500074d57e93f9d028d908c42e425f2b414e5a321cb83d3f0bf963fd'),
    (28, 'common_case', 'af7d929d703617d7986c9fc226bc28e44a416e9e31bb6521fc3571d71707cd86'),
    (29, 'cost', '45bd552fea2fc9f02b803eda0c296e116384afb8bfe7dbf6f9285d436f09a953'),
    (30, 'hidden_and_locks', '08aeceecaa274e2bc96e4fe2254487328725ff5664863c773dbef2a28a1c025a'),
    (31, 'dead_rows', '6958fdd1a757eb223282a13f7c4a6fcb3e93db619403368211c93bc229b0883c');

-- The database's mark, which the scripts read before they destroy data, whichever URL they were given. One row or none. The scripts guard
-- a database with any mark but development and test.
create table environment (
    name text not null,
    constraint environment_name_check check (name ~ '^[A-Za-z0-9_.-]{1,64}$')
);

create unique index environment_single_key on environment ((true));

-- Rights. The service logs in as a member of cruddur_app, which may do what the service's statements do and no more, column by column: it
-- cannot read e-mail addresses, make users, change handles, or set created_at. (Some columns may be updated only because a repeated write
-- sets them to their own values.) cruddur_confirmation may only make users by confirm_user; the hook has a login of its own, which is a
-- member of it. doc/security.md lists what a member can still do.
-- If the role that loads this file may not create roles, it gets a NOTICE, and the schema works for its owner.
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
-- Without this right a script could not read the mark, and would have to refuse.
grant select on environment to public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        execute format('grant connect on database %I to cruddur_app', current_database());
        grant usage on schema public to cruddur_app;
        grant select (uuid, display_name, handle, cognito_user_id, bio, created_at, folded_handle) on users to cruddur_app;
        grant update (display_name, bio) on users to cruddur_app;
        grant select on activities to cruddur_app;
        grant insert (uuid, user_uuid, message, reply_to_activity_uuid, expires_at) on activities to cruddur_app;
        grant update (uuid, replies_count, reposts_count, likes_count, expires_at, deleted_at, first_expires_at) on activities to cruddur_app;
        grant select on used_keys to cruddur_app;
        grant select, delete on likes, reposts, follows to cruddur_app;
        grant insert (user_uuid, activity_uuid), update (activity_uuid) on likes, reposts to cruddur_app;
        grant insert (follower_uuid, followed_uuid), update (followed_uuid) on follows to cruddur_app;
        grant select on notifications to cruddur_app;
        grant select (user_uuid, created_at) on withdrawn_notifications to cruddur_app;
        grant select, insert (user_uuid, read_at), update (read_at) on notification_reads to cruddur_app;
        grant select, insert (uuid, first_user_uuid, second_user_uuid), update (last_message_at) on message_groups to cruddur_app;
        grant select, insert (uuid, message_group_uuid, user_uuid, message, expires_at), update (uuid, deleted_at) on messages to cruddur_app;
        grant select, insert (message_group_uuid, user_uuid, read_at), update (read_at) on conversation_reads to cruddur_app;
        grant select on blocks, mutes, visibility to cruddur_app;
        grant delete on blocks, mutes to cruddur_app;
        grant insert (user_uuid, blocked_uuid), update (blocked_uuid) on blocks to cruddur_app;
        grant insert (user_uuid, muted_uuid), update (muted_uuid) on mutes to cruddur_app;
        grant execute on function is_blocked(uuid, uuid), is_blocked_now(uuid, uuid), is_suspended_now(uuid), is_hidden(uuid, uuid), hides(uuid, boolean, uuid), has_hidden(uuid),
            may_hide(text, uuid, uuid, integer), viewer(text, text), viewer_uuid(text, text) to cruddur_app;
        grant select (suspended_at) on users to cruddur_app;
        grant select (activity_uuid, reporter_uuid, reason, created_at), insert (activity_uuid, reporter_uuid, author_uuid, message, reason),
            update (activity_uuid) on reports to cruddur_app;
        grant execute on function writer(text, text), missing_writer(text, text), release_hidden(integer),
            has_replies(uuid, integer) to cruddur_app;
        grant execute on function is_message_key_used(uuid), purge_messages(integer) to cruddur_app;
        grant select on growth, growth_closed, purge_progress to cruddur_app;
        grant select (number, name) on applied_migrations to cruddur_app; -- for cruddurd --check
        grant execute on function close_growth(), purge_expired(integer), note_purge_end() to cruddur_app;
        grant execute on function may_follow(uuid, uuid, integer) to cruddur_app;
        grant execute on function word_marks(), unspaced_characters(), latin_characters(), invisible_characters(), plain_characters(),
            blank_characters(), is_blank(text), fold_text(text), is_handle(text), text_words(text),
            text_without_addresses(text), activity_tags(text), activity_search(text, text[], timestamptz),
            phrase_query(text[], boolean, boolean), joined_query(tsquery[], boolean[]), search_query(text) to cruddur_app;
        grant execute on function recent_twin(uuid, uuid, text, interval, integer, boolean), is_key_used(uuid), purge_used_keys(integer) to cruddur_app;
        grant execute on function current_view(), was_seen(xid8, pg_snapshot), embedded_replies(uuid, uuid, boolean) to cruddur_app;
        grant execute on function page_time(bigint), page_uuid(uuid), since_time(bigint), since_uuid(uuid),
            page_key(timestamptz, uuid), edge_key(timestamptz, bigint), clock_us(), is_timely(bigint), caller(text, text), missing_caller(text),
            is_live(timestamptz), activity(uuid), author(uuid), card(activities, text, text),
            marks(uuid, boolean, uuid), has_liked(uuid, uuid), has_reposted(uuid, uuid), event_card(uuid, uuid, uuid, timestamptz, uuid[]),
            posts_before(bigint, uuid, integer), posts_since(pg_snapshot, xid8, uuid, integer),
            replies(uuid, boolean, bigint, uuid, integer, uuid, boolean),
            replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean), shown_activity(uuid, text, uuid, boolean),
            show_activity(uuid, text, uuid, boolean, boolean, bigint, uuid, integer),
            replies_page(uuid, boolean, bigint, uuid, integer, uuid, boolean, boolean),
            ancestors(uuid, uuid, boolean), retry_after_s(text, uuid, integer), full_hour(text, uuid, integer),
            user_posts(uuid, bigint, uuid, timestamptz, integer), user_replies(uuid, bigint, uuid, integer),
            user_reposts(uuid, bigint, uuid, timestamptz, integer), reposts_before(bigint, uuid, integer), events_before(bigint, uuid, integer),
    user_events(uuid, boolean, bigint, uuid, timestamptz, integer),
            heads(uuid, bigint, uuid, integer), walk_rows(), user_walk_rows(), earlier_reposts(uuid, uuid, bigint, uuid, pg_snapshot),
            search_step(tsquery, tsquery, integer, integer, uuid, boolean), search_step(tsquery, tsquery, integer, integer),
            fits(tsvector, text, tsquery, text),
            profile(text, uuid, boolean), snapshot_of(text),
            conversations(uuid, timestamptz, uuid),
            settle(uuid, integer) to cruddur_app;
        grant select (due_at) on departures to cruddur_app;
        grant execute on function depart(uuid), departed(text, text), purge_departures(integer) to cruddur_app;
        grant execute on function event_uuid(text, uuid, uuid), take_back(text, uuid, uuid), settle_replies(uuid, integer), settle_threads(integer), renew_activities(integer), purge_step(integer) to cruddur_app;
    end if;
    if to_regrole('cruddur_confirmation') is not null then
        execute format('grant connect on database %I to cruddur_confirmation', current_database());
        grant usage on schema public to cruddur_confirmation;
        grant execute on function confirm_user(uuid, json, text, timestamptz) to cruddur_confirmation;
    end if;
end
$$;

commit;
