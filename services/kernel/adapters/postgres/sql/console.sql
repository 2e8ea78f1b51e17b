-- name: console_standing
-- What whoever works in the console must know at once.
SELECT legal_now() AS legal, clock_timestamp() AS wall,
       coalesce((SELECT array_agg(b.kind ORDER BY b.kind) FROM brake b WHERE b.stopped), '{}') AS stopped,
       EXISTS (SELECT FROM sending_brake s WHERE s.on_since IS NOT NULL
               AND (s.until IS NULL OR s.until > clock_timestamp())) AS mail_stopped;

-- name: console_notices
-- One page of notices, newest first: those before $7, or the nearest after $8.
SELECT * FROM (
    SELECT n.notice_id, n.source, n.source_ref, n.regime, n.notice_type, n.business_id, n.state, n.accepted_at, n.served_at,
           n.deadline_at, n.trial,
           (SELECT count(*) FROM hold h WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL)::integer AS open_holds,
           (SELECT s.state FROM sanction s WHERE s.notice_id = n.notice_id ORDER BY s.deadline_version DESC LIMIT 1) AS sanction
    FROM notice n
    WHERE ($1::text IS NULL OR n.state = $1) AND ($2::text IS NULL OR n.regime = $2)
      AND ($3::text IS NULL OR n.notice_type = $3) AND ($4::text IS NULL OR n.business_id = $4)
      AND ($5::text IS NULL OR n.source = $5)
      AND (NOT $6::boolean OR EXISTS (SELECT FROM hold h WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL))
      AND ($7::uuid IS NULL OR n.notice_id < $7) AND ($8::uuid IS NULL OR n.notice_id > $8)
    ORDER BY CASE WHEN $8::uuid IS NULL THEN n.notice_id END DESC, n.notice_id LIMIT $9::integer
) AS page ORDER BY notice_id DESC;

-- name: console_accesses
-- Who looked at and did what, newest first.
SELECT access_id, at, site, person, act, allowed, business_id, notice_id, detail FROM access_record
WHERE ($1::text IS NULL OR person = $1) AND ($2::bigint IS NULL OR access_id < $2)
ORDER BY access_id DESC LIMIT $3::integer;

-- name: worker_beat
-- A worker lives. Whoever fell silent more than a day ago is forgotten.
WITH forgotten AS (DELETE FROM worker_alive WHERE beat_at < clock_timestamp() - interval '1 day')
INSERT INTO worker_alive AS a (worker, instance, version, since, beat_at)
VALUES ($1::text, $2::text, $3::text, clock_timestamp(), clock_timestamp())
ON CONFLICT (worker, instance) DO UPDATE SET beat_at = excluded.beat_at, version = excluded.version,
    since = CASE WHEN a.beat_at < clock_timestamp() - interval '1 minute' THEN excluded.since ELSE a.since END;

-- name: worker_gone
-- A worker has ended in good order.
DELETE FROM worker_alive WHERE worker = $1::text AND instance = $2::text;

-- name: console_workers
-- Who says that they live, and who has fallen silent.
SELECT worker, instance, version, since, clock_timestamp() - since AS up, clock_timestamp() - beat_at AS silent,
       beat_at < clock_timestamp() - interval '30 seconds' AS is_silent
FROM worker_alive ORDER BY worker, instance;
