-- name: desk_doctor
-- What the server says of itself; it may be empty yet.
SELECT current_setting('server_version_num')::integer AS version_num, current_setting('server_version') AS version,
       clock_timestamp() AS now, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       pg_is_in_recovery() AS standby, to_regclass('trial_clock') IS NOT NULL AS trial,
       has_database_privilege(current_database(), 'CREATE') AS may_migrate;

-- name: desk_ready
-- Whether the schema is there.
SELECT to_regclass('raw_evidence') IS NOT NULL AS ready;

-- name: desk_outbox
-- What is to be published by `relay`, in order, for commands that have no broker of their own.
INSERT INTO outbox (type, body) SELECT * FROM unnest($1::text[], $2::bytea[]);
