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

-- name: console_words
-- The words of a notice as they were stored.
SELECT n.notice_id, n.language, n.source_ref, n.business_id, c.subject, c.body_text, c.body_html, c.content_hash, c.erased_at,
       c.first_viewed_at, c.first_viewed_by
FROM notice n JOIN notice_content c ON c.notice_id = n.notice_id WHERE n.notice_id = $1::uuid;

-- name: console_accesses
-- Who looked at and did what, newest first.
SELECT access_id, at, site, person, act, allowed, business_id, notice_id, detail FROM access_record
WHERE ($1::text IS NULL OR person = $1) AND ($2::uuid IS NULL OR notice_id = $2) AND (NOT $3::boolean OR NOT allowed)
  AND ($4::bigint IS NULL OR access_id < $4)
ORDER BY access_id DESC LIMIT $5::integer;

-- name: console_throughput
-- Facts of these kinds, by how many spans of so many seconds ago they were recorded.
SELECT greatest(0, floor(extract(epoch FROM (SELECT legal_now()) - e.at) / $2::integer))::integer AS ago, e.kind,
       count(*)::integer AS number
FROM notice_event e
WHERE e.at > (SELECT legal_now()) - make_interval(secs => $2::integer * $3::integer) AND e.kind = ANY($1::text[])
GROUP BY 1, 2;

-- name: console_failing
-- Items that are not done, by worker.
SELECT worker, count(*) FILTER (WHERE state IN ('retry', 'replaying'))::integer AS retried,
       count(*) FILTER (WHERE state = 'dead')::integer AS dead
FROM failed_item WHERE state IN ('retry', 'dead', 'replaying') GROUP BY worker ORDER BY worker;

-- name: console_holds
-- Open holds by kind, with the age of the oldest.
SELECT kind, count(*)::integer AS number, legal_now() - min(placed_at) AS age
FROM hold WHERE lifted_at IS NULL GROUP BY kind ORDER BY count(*) DESC, kind;

-- name: console_named
-- Notices that a text names, each with how: as reference, business, address or event id. Newest first. What a request
-- made is found by the time at which it was processed: only the first fact of a notice names its event.
SELECT n.notice_id, n.source, n.source_ref, n.notice_type, n.business_id, n.state, n.accepted_at,
       array_agg(DISTINCT found.by ORDER BY found.by) AS by
FROM (
    (SELECT notice_id, 'reference' AS by FROM notice WHERE source = ANY($2::text[]) AND source_ref = $1::text)
    UNION ALL (SELECT notice_id, 'business' FROM notice WHERE business_id = $1 ORDER BY notice_id DESC LIMIT $3::integer)
    UNION ALL (SELECT notice_id, 'address' FROM attempt WHERE lower(address) = lower($1)
               ORDER BY started_at DESC LIMIT $3::integer)
    UNION ALL (SELECT subject, 'event' FROM processed WHERE event_id = $1 LIMIT $3::integer)
    UNION ALL (SELECT e.notice_id, 'event' FROM processed p JOIN notice_event e ON e.seq = 1 AND e.data ->> 'event_id' = $1
               AND e.at BETWEEN p.at - interval '10 minutes' AND p.at + interval '10 minutes'
               WHERE p.event_id = $1 LIMIT $3::integer)
    UNION ALL (SELECT notice_id, 'event' FROM failed_item WHERE event_id = $1 AND notice_id IS NOT NULL LIMIT $3::integer)
    UNION ALL (SELECT notice_id, 'event' FROM raw_evidence WHERE source = ANY($2::text[]) AND event_id = $1
               AND door IN ('amqp', 'http', 'callback') AND notice_id IS NOT NULL LIMIT $3::integer)
) AS found JOIN notice n ON n.notice_id = found.notice_id
GROUP BY n.notice_id ORDER BY n.notice_id DESC LIMIT $3::integer;

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
