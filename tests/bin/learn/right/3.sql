create table learn.hashtags (
    tag text primary key
);
create table learn.activity_hashtags (
    activity_uuid uuid not null references public.activities on delete cascade,
    tag           text not null references learn.hashtags,
    primary key (activity_uuid, tag)
);
