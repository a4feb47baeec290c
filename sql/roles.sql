-- The roles of a server of its own, as a superuser, before the database is made: cruddur_owner makes and owns it, cruddur
-- is what the daemon logs in as. Passwords come from the environment, never from a command line.
\set ON_ERROR_STOP on
\getenv owner_password CRUDDUR_OWNER_PASSWORD
\getenv app_password CRUDDUR_APP_PASSWORD
begin;
create role cruddur_owner login createdb password :'owner_password';
create role cruddur_app nologin; -- schema.sql grants it what the service's statements need
create role cruddur_confirmation nologin; -- and this one no more than to make users of the pool's events
create role cruddur login password :'app_password' in role cruddur_app;
commit;
