-- The user whom an event of Cognito's PostConfirmation trigger is about; the answer is the event, byte for byte.
-- %(event)s: its JSON. %(pool)s: the user pool that it must be of; null: any. %(uuid)s: for a user who is new. Sent again
-- it writes the same once more, see confirm_user in schema.sql, where the rules are.
-- Outcomes: ok, trigger_source_blank, user_pool_mismatch, cognito_user_id_blank, cognito_user_id_invalid,
-- user_handle_blank, user_handle_invalid, display_name_blank, display_name_exceed_max_chars, email_blank, email_invalid,
-- handle_taken, email_taken (another user has it).
select
    public.confirm_user(%(uuid)s::uuid, %(event)s::json, %(pool)s) as outcome,
    %(event)s::json as body
