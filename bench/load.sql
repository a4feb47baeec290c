-- The bench's data, instead of whatever was there: 1000 users, and :rows activities over the last 30 days. The uuid of
-- activity n is md5('activity ' || n), so that everyone who asks for one can name it. By the last digit of n:
-- 0 has expired, 9 is a reply to n - 8, 8 never expires, the others do in one to thirty days.
\set ON_ERROR_STOP on
set client_min_messages = warning;
begin;
truncate users, activities, message_groups, messages cascade;

insert into users (uuid, display_name, handle, email, cognito_user_id, created_at)
select
    md5('user ' || n)::uuid,
    (array['Ada', 'Grace', 'Linus', 'Margaret', 'Dennis', 'Barbara', 'Ken', 'Radia'])[1 + n % 8] || ' '
        || (array['Lovelace', 'Hopper', 'Hamilton', 'Ritchie', 'Liskov'])[1 + n % 5] || ' ' || n,
    'bench' || n,
    'bench' || n || '@example.com',
    md5('sub ' || n)::uuid,
    now() - interval '60 days'
from generate_series(1, 1000) n;

create temporary table words on commit drop as
select array[
    'coffee', 'weather', 'the', 'a', 'new', 'release', 'today', 'finally', 'works', 'on', 'my', 'machine', 'café',
    'cloud', 'week', 'four', 'postgres', 'query', 'is', 'fast', 'and', 'nobody', 'noticed', 'yet', 'rain', '☀️', 'again',
    'why', 'does', 'it', 'compile', 'deploy', 'friday', 'never', 'mind', 'see', 'you', 'there', '#cruddur', '"quoted"'
] as list;

-- In two steps, as a reply's parent has to be there.
insert into activities (uuid, user_uuid, message, expires_at, created_at)
select
    md5('activity ' || n)::uuid,
    md5('user ' || 1 + n * 337 % 1000)::uuid,
    (
        select string_agg(words.list[1 + (hashint8(n * 31 + word) & 2147483647) % array_length(words.list, 1)], ' ')
        from words, generate_series(1, 6 + n % 23) word
    ),
    case
        when n % 10 = 0 then at + (now() - at) * 0.5
        when n % 10 <> 8 then now() + interval '1 day' * (1 + n % 30)
    end,
    at
from generate_series(1, :rows) n
cross join lateral (select now() - interval '30 days' * (:rows - n + 1) / :rows as at) moment
where n % 10 <> 9;

insert into activities (uuid, user_uuid, message, expires_at, created_at, reply_to_activity_uuid)
select
    md5('activity ' || n)::uuid,
    md5('user ' || 1 + n * 733 % 1000)::uuid,
    'I agree with number ' || n - 8,
    parent.expires_at,
    greatest(parent.created_at, now() - interval '30 days' * (:rows - n + 1) / :rows),
    parent.uuid
from generate_series(9, :rows, 10) n
join activities parent on parent.uuid = md5('activity ' || n - 8)::uuid;

update activities parent
set replies_count = 1
from generate_series(9, :rows, 10) n
where parent.uuid = md5('activity ' || n - 8)::uuid;
commit;

vacuum (analyze) users;
vacuum (analyze) activities;
