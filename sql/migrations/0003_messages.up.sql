-- Conversations (the original kept them outside PostgreSQL, so there are none to take over), and the rights that the whole
-- API needs.
create table message_groups (
    uuid              uuid        not null default gen_random_uuid(),
    first_user_uuid   uuid        not null,
    second_user_uuid  uuid        not null,
    last_message_at   timestamptz not null default now(),
    created_at        timestamptz not null default now(),
    constraint message_groups_pkey primary key (uuid),
    constraint message_groups_first_user_uuid_fkey foreign key (first_user_uuid) references users (uuid) on delete cascade,
    constraint message_groups_second_user_uuid_fkey foreign key (second_user_uuid) references users (uuid) on delete cascade,
    constraint message_groups_pair_key unique (first_user_uuid, second_user_uuid),
    constraint message_groups_pair_check check (first_user_uuid < second_user_uuid)
);

create index message_groups_first_user_idx on message_groups (first_user_uuid, last_message_at desc, uuid desc);
create index message_groups_second_user_idx on message_groups (second_user_uuid, last_message_at desc, uuid desc);

create table messages (
    uuid               uuid        not null default gen_random_uuid(),
    message_group_uuid uuid        not null,
    user_uuid          uuid        not null,
    message            text        not null,
    created_at         timestamptz not null default now(),
    constraint messages_pkey primary key (uuid),
    constraint messages_message_group_uuid_fkey foreign key (message_group_uuid)
        references message_groups (uuid) on delete cascade,
    constraint messages_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint messages_message_check check (char_length(message) between 1 and 1024)
);

create index messages_group_idx on messages (message_group_uuid, created_at desc, uuid desc);
create index messages_user_idx on messages (user_uuid);

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant update (display_name, bio) on users to cruddur_app;
        grant delete, update (replies_count) on activities to cruddur_app;
        grant select, insert, update (last_message_at) on message_groups to cruddur_app;
        grant select, insert, update (uuid) on messages to cruddur_app;
    end if;
end
$$;
