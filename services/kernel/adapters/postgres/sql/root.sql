-- name: root_days
-- UTC days before this one on which chains moved, and that have no root yet.
SELECT DISTINCT (e.at AT TIME ZONE 'UTC')::date AS day FROM notice_event e
WHERE e.at < ($1::date)::timestamp AT TIME ZONE 'UTC'
  AND e.at >= coalesce((SELECT max(r.day) + 1 FROM chain_root r), '-infinity'::date)::timestamp AT TIME ZONE 'UTC'
ORDER BY day;

-- name: root_heads
-- The last digest on one UTC day of every chain that moved on it.
SELECT DISTINCT ON (e.notice_id) e.notice_id, e.digest FROM notice_event e
WHERE e.at >= ($1::date)::timestamp AT TIME ZONE 'UTC' AND e.at < ($1::date + 1)::timestamp AT TIME ZONE 'UTC'
ORDER BY e.notice_id, e.seq DESC;

-- name: root_store
-- A day's root, with the heads that it was made of: notice id and digest, one after the other.
INSERT INTO chain_root (day, chains, root, heads, made_at) VALUES ($1::date, $2::integer, $3::bytea, $4::bytea, clock_timestamp());

-- name: alone
-- Whether this transaction is the only one at this work.
SELECT pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) AS alone;
