-- The tables of Cruddur's week 4. A database that has them already passes this as it is, in whichever of their variants:
-- 0002 knows them.
create table if not exists users (
    uuid            uuid      default gen_random_uuid() primary key,
    display_name    text      not null,
    handle          text      not null,
    email           text      not null,
    cognito_user_id text      not null,
    created_at      timestamp not null default current_timestamp
);

create table if not exists activities (
    uuid                   uuid      default gen_random_uuid() primary key,
    user_uuid              uuid      not null,
    message                text      not null,
    replies_count          integer   default 0,
    reposts_count          integer   default 0,
    likes_count            integer   default 0,
    reply_to_activity_uuid integer,
    expires_at             timestamp,
    created_at             timestamp not null default current_timestamp
);
