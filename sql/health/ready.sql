-- That this statement runs says that the database answers; that all the others could be prepared on the same
-- connection says that the schema fits.
select 'ok' as outcome, '{"success":true,"ver":1}' as body
