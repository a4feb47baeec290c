-- Rows to try the service with. Loading them again changes nothing: every row has its own fixed uuid.
\set ON_ERROR_STOP on
begin;
set local search_path = public, pg_temp;

insert into users (uuid, display_name, handle, email, cognito_user_id) values
    ('b4a1c9d2-6f0e-4a57-9c3b-1d5e8f7a2b60', 'Andrew Brown', 'andrewbrown', 'andrewbrown@example.com', 'mock-andrewbrown'),
    ('2e7d3f18-90ab-4c6d-8e21-7b4f6a5c9d03', 'Alt Brown', 'altbrown', 'altbrown@example.com', 'mock-altbrown'),
    ('7c5b0e94-3d28-4f1a-b6e7-9a8d2c4f1e35', 'Andrew Bayko', 'bayko', 'bayko@example.com', 'mock-bayko'),
    ('d9f86a31-5c47-4b02-a1d8-3e6b7f9c0a52', 'Londo Mollari', 'londo', 'londo@example.com', 'mock-londo')
on conflict do nothing;

insert into activities (uuid, user_uuid, message, expires_at)
select '5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418', uuid, 'This was imported as seed data!', now() + interval '10 days'
from users
where lower(handle) = 'andrewbrown'
on conflict (uuid) do nothing;

commit;
