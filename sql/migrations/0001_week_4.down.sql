-- Tables with rows are not dropped: they may have been here before 0001 was.
lock table users, activities in access exclusive mode;

do $$
begin
    if exists (select from users) or exists (select from activities) then
        raise exception 'users and activities hold rows, and 0001 may have found them here: they stay'
            using hint = 'bin/db-drop drops the whole database.';
    end if;
end
$$;

drop table activities, users;
