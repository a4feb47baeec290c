-- Nothing says that the activity exists.
create table learn.hashtags (
    tag text primary key
);
create table learn.activity_hashtags (
    activity_uuid uuid not null,
    tag           text not null references learn.hashtags,
    primary key (activity_uuid, tag)
);
