-- Summary: the last migration that the database has, for `--check`
-- Cost: nothing
-- The last migration that the database has, by the name of its file without .up.sql; no row when it has none. cruddurd --check
-- compares it with the files.
select to_char(number, 'FM0000') || '_' || name as outcome
from applied_migrations
order by number desc
limit 1
