-- Statements that fail, for exercise 9. Each is run by itself.
1. select mesage from activities;
2. select count(*) form users;
3. insert into users (display_name, handle, cognito_user_id) values ('Zack', 'zack', 'zack');
4. insert into activities (user_uuid, message) values (gen_random_uuid(), 'Whose is this?');
5. insert into users (display_name, handle, email, cognito_user_id) values ('Vir', 'LEARN_VIR', 'other@learn.example', 'other');
6. update activities set message = '';
7. select 'bayko'::uuid;
8. insert into activities (user_uuid, message, reply_to_activity_uuid) select uuid, 'A reply', 1 from users;
