-- The roles of a server of its own, as a superuser, before the database is made: cruddur_owner makes and owns it, cruddur
-- is what the daemon logs in as, and cruddur_hook what it logs in as for the hook, if there is a password for that. Passwords
-- come from the environment, never from a command line. --set app_connections=N and hook_connections=N say how many sessions
-- each may have: four for each worker of every host, twice that for a moment of a HUP, and a few more.
\set ON_ERROR_STOP on
\getenv owner_password CRUDDUR_OWNER_PASSWORD
\getenv app_password CRUDDUR_APP_PASSWORD
\getenv hook_password CRUDDUR_HOOK_PASSWORD
\if :{?app_connections}
\else
\set app_connections 80
\endif
\if :{?hook_connections}
\else
\set hook_connections 20
\endif
begin;
create role cruddur_owner login createdb password :'owner_password';
create role cruddur_app nologin; -- schema.sql grants it what the service's statements need
create role cruddur_confirmation nologin; -- and this one no more than to make users of the pool's events
create role cruddur login password :'app_password' connection limit :app_connections in role cruddur_app;
\if :{?hook_password}
create role cruddur_hook login password :'hook_password' connection limit :hook_connections in role cruddur_confirmation;
\endif
commit;
