-- The data for bench/lists.py, into an empty database, as a superuser: 10,000 users, :rows activities over the last 30 days, as many
-- likes, a tenth as many reposts. One in ten has expired since the last purge; one in ten is a reply, an hour or less after what it
-- replies to. Half of them all expire after a week.
--
-- subject1 to subject10 are the same over any number of rows: each has 50 posts, spread over the time like those of the other users,
-- with ten likes on each, and follows a thousand others. One more post of subject1 has 50 replies.
--
-- Of the triggers only activities_search runs. The statements here write what the others would have written if the rows had been inserted
-- one by one in the order of created_at; tests/http/test_bench_rows.py compares the two. Therefore no user is notified of two events
-- at the same time: the trigger would give the second one a later time.
set client_min_messages = warning;
set statement_timeout = 0;
set maintenance_work_mem = '256MB';
begin;

-- An index that is created over all rows takes less time than one that grows with them, and is as compact as after vacuum full.
create temporary table later on commit drop as
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
from pg_index
where indrelid in ('activities'::regclass, 'likes'::regclass, 'reposts'::regclass, 'follows'::regclass, 'notifications'::regclass)
    and not exists (select from pg_constraint where conindid = indexrelid);
select 'drop index ' || name from later \gexec

insert into users (uuid, display_name, handle, email, cognito_user_id, created_at)
select md5('user ' || n)::uuid, 'Person ' || n, name, name || '@example.com', 'mock-' || name, now() - interval '60 days'
from generate_series(1, 10000) n
cross join lateral (select case when n <= 10 then 'subject' || n else 'user' || n end as name) named;

set session_replication_role = replica;
alter table activities enable always trigger activities_search;

-- The first 500 are the subjects'. Replies come in the next step, as they take their times from their parents.
insert into activities (uuid, user_uuid, message, likes_count, reposts_count, replies_count, created_at, expires_at)
select
    md5('activity ' || n)::uuid,
    md5('user ' || case when n <= 500 then 1 + n % 10 else 11 + (n * 337 + n / 9990) % 9990 end)::uuid,
    'Number ' || n || repeat(' of many words', (n % 10)::integer) || case when n % 20 = 1 then ' #cruddur' else '' end,
    case when n <= 500 then 10 else 1 end,
    case when n > 500 and n % 10 = 1 then 1 else 0 end,
    case when n > 500 and n % 10 = 1 and n + 8 <= :rows then 1 else 0 end,
    at,
    case
        when n > 500 and n % 10 = 3 then now() - interval '1 second' * (1 + n % 3600)
        when n % 10 = 8 then null
        when n % 2 = 0 and at > now() - interval '6 days' then at + interval '7 days'
        when at > now() - interval '2 days' then at + interval '3 days'
        else at + interval '31 days'
    end
from generate_series(1::bigint, :rows) n
cross join lateral (
    select now() - interval '2 hours' - interval '30 days' * (case when n <= 500 then n / 500.0 else (n - 500.0) / :rows end) as at
) moment
where n <= 500 or n % 10 <> 9;

insert into activities (uuid, user_uuid, message, likes_count, created_at, expires_at, reply_to_activity_uuid)
select
    md5('activity ' || n)::uuid,
    md5('user ' || 11 + n * 733 % 9990)::uuid,
    'I agree',
    1,
    created_at + interval '1 second' * (n % 3600),
    expires_at,
    uuid
from generate_series(509::bigint, :rows, 10) n
join activities on uuid = md5('activity ' || n - 8)::uuid;

insert into activities (uuid, user_uuid, message, replies_count, created_at, expires_at)
values (md5('thread')::uuid, md5('user 1')::uuid, 'What do you think?', 50, now() - interval '29 days', now() + interval '1 day');
insert into activities (user_uuid, message, created_at, expires_at, reply_to_activity_uuid)
select md5('user ' || 100 + n)::uuid, 'This', now() - interval '28 days' + n * interval '1 minute', now() + interval '1 day', md5('thread')::uuid
from generate_series(1, 50) n;

alter table activities enable trigger activities_search;

insert into likes (user_uuid, activity_uuid, created_at)
select md5('user ' || 20 + n)::uuid, md5('activity ' || post)::uuid, now() - interval '1 hour' - n * interval '10 minutes' - post * interval '1 second'
from generate_series(1, 500) post, generate_series(1, 10) n;
insert into likes (user_uuid, activity_uuid, created_at)
select md5('user ' || 11 + (n * 7919 + n / 9990) % 9990)::uuid, uuid, created_at + interval '1 hour'
from generate_series(501::bigint, :rows) n
join activities on uuid = md5('activity ' || n)::uuid;
insert into reposts (user_uuid, activity_uuid, created_at)
select md5('user ' || 11 + (n * 6007 + n / 9990) % 9990)::uuid, uuid, created_at + interval '2 hours'
from generate_series(501::bigint, :rows, 10) n
join activities on uuid = md5('activity ' || n)::uuid;

insert into follows (follower_uuid, followed_uuid, created_at)
select md5('user ' || subject)::uuid, md5('user ' || 11 + (subject * 17 + n * 9) % 9990)::uuid, now() - interval '40 days' + subject * interval '1 minute'
from generate_series(1, 10) subject, generate_series(1, 1000) n;

insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
select a.user_uuid, done.created_at, event_uuid(done.kind, done.user_uuid, a.uuid), done.kind, done.user_uuid, a.uuid
from (
    select user_uuid, activity_uuid, created_at, 'like' as kind from likes
    union all
    select user_uuid, activity_uuid, created_at, 'repost' from reposts
) done
join activities a on a.uuid = done.activity_uuid
where a.user_uuid <> done.user_uuid;
insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid)
select followed_uuid, created_at, event_uuid('follow', follower_uuid, followed_uuid), 'follow', follower_uuid from follows;
insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
select p.user_uuid, a.created_at, a.uuid, 'reply', a.user_uuid, a.uuid
from activities a
join activities p on p.uuid = a.reply_to_activity_uuid
where p.user_uuid <> a.user_uuid;

set session_replication_role = origin;
select definition from later \gexec
commit;

-- As the purge does every few seconds.
do $$
begin
    while close_growth() loop
    end loop;
end
$$;
vacuum (analyze);
