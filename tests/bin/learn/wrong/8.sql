-- A user without posts has null.
select json_build_object(
    'handle', u.handle,
    'posts', (
        select json_agg(json_build_object('message', a.message) order by a.created_at desc)
        from activities a
        where a.user_uuid = u.uuid
    )
) as body
from users u
where u.handle = :'handle';
