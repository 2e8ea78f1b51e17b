-- name: webhooks_due
-- Events owed to upstreams, no more than the limit of each out at a time, so that a slow one fills no queue. An older event
-- of its notice holds an event back; when that is delivered, the worker hands on what follows, so that looking again in a
-- minute (in ten where it has failed) is for what was lost. What was discarded holds nothing back.
WITH looked AS (
    SELECT d.outbox_id, d.source,
           coalesce((SELECT true FROM failed_item f WHERE f.subject = lpad(to_hex(d.outbox_id), 32, '0')::uuid
                     AND f.state <> 'resolved' AND f.worker = 'webhooks' LIMIT 1),
                    (SELECT bool_or(e.due_at IS NULL) FROM webhook_delivery e
                     WHERE e.notice_id = d.notice_id AND e.outbox_id < d.outbox_id AND e.delivered_at IS NULL
                       AND NOT EXISTS (SELECT FROM failed_item g
                                       WHERE g.subject = lpad(to_hex(e.outbox_id), 32, '0')::uuid
                                         AND g.state = 'discarded' AND g.worker = 'webhooks'))) AS behind_failed
    FROM webhook w CROSS JOIN LATERAL (
        SELECT v.outbox_id, v.source, v.notice_id FROM webhook_delivery v
        WHERE v.source = w.source AND v.delivered_at IS NULL AND v.due_at <= (SELECT clock_timestamp())
        ORDER BY v.due_at, v.outbox_id
        LIMIT greatest(0, $1::integer - (
            SELECT count(*) FROM webhook_delivery o WHERE o.source = w.source AND o.delivered_at IS NULL
            AND o.due_at > clock_timestamp() AND o.handed_at IS NOT NULL))
        FOR UPDATE SKIP LOCKED) AS d)
UPDATE webhook_delivery SET handed_at = CASE WHEN l.behind_failed IS NULL THEN clock_timestamp() END,
    due_at = clock_timestamp() + make_interval(
        secs => CASE WHEN l.behind_failed IS NULL THEN $2::float8 WHEN l.behind_failed THEN 600 ELSE 60 END)
FROM looked l  -- the array lets the planner go by the key: it cannot know how few they are
WHERE webhook_delivery.outbox_id = l.outbox_id AND webhook_delivery.outbox_id = ANY (ARRAY(SELECT k.outbox_id FROM looked k))
RETURNING l.outbox_id, l.source, l.behind_failed IS NULL AS ready;

-- name: webhook_urls
-- Where those of these events that are still owed must go.
SELECT d.outbox_id, w.url FROM webhook_delivery d JOIN webhook w ON w.source = d.source
WHERE d.outbox_id = ANY($1::bigint[]) AND d.delivered_at IS NULL;

-- name: webhook_claim
-- One event to be posted by this process alone until its lease is over; it is due again then, if nothing follows.
UPDATE webhook_delivery SET claimed_until = clock_timestamp() + make_interval(secs => $2::float8),
    due_at = clock_timestamp() + make_interval(secs => $2::float8)
FROM outbox o, webhook w
WHERE webhook_delivery.outbox_id = $1::bigint AND o.outbox_id = webhook_delivery.outbox_id
  AND w.source = webhook_delivery.source AND webhook_delivery.delivered_at IS NULL
  AND coalesce(webhook_delivery.claimed_until < clock_timestamp(), true)
RETURNING webhook_delivery.outbox_id, webhook_delivery.notice_id, w.source, w.url, o.body, clock_timestamp() AS at,
          is_trial() AS trial;

-- name: webhook_settle
-- What came of posting events. What the upstream took is recorded even where the lease was lost meanwhile.
UPDATE webhook_delivery SET delivered_at = CASE WHEN u.delivered THEN clock_timestamp() END,
    due_at = NULL, handed_at = NULL, claimed_until = NULL
FROM unnest($1::bigint[], $2::boolean[]) AS u(outbox_id, delivered)
WHERE webhook_delivery.outbox_id = u.outbox_id AND webhook_delivery.delivered_at IS NULL;

-- name: webhooks_next
-- What the upstream of a notice must be told after this event, handed out at once.
UPDATE webhook_delivery SET handed_at = clock_timestamp(), due_at = clock_timestamp() + make_interval(secs => $2::float8)
WHERE due_at IS NOT NULL AND outbox_id = (
    SELECT v.outbox_id FROM webhook_delivery d
    JOIN webhook_delivery v ON v.notice_id = d.notice_id AND v.outbox_id > d.outbox_id AND v.delivered_at IS NULL
    WHERE d.outbox_id = $1::bigint ORDER BY v.outbox_id LIMIT 1)
RETURNING outbox_id;

-- name: desk_webhooks
-- Who is told by webhook, where, and how much of it is owed, failing and done.
SELECT w.source, w.url, w.added_by, w.added_at,
       count(d.outbox_id) FILTER (WHERE d.delivered_at IS NULL) AS owed,
       count(d.outbox_id) FILTER (WHERE d.delivered_at IS NULL AND d.due_at IS NULL) AS failing,
       count(d.delivered_at) AS delivered, max(d.delivered_at) AS last_at
FROM webhook w LEFT JOIN webhook_delivery d ON d.source = w.source
WHERE $1::text IS NULL OR w.source = $1
GROUP BY w.source ORDER BY w.source;

-- name: desk_webhook_add
-- Tell this upstream by webhook from now on, or elsewhere than until now.
INSERT INTO webhook (source, url, added_by, added_at) VALUES ($1::text, $2::text, $3::text, clock_timestamp())
ON CONFLICT (source) DO UPDATE SET url = excluded.url, added_by = excluded.added_by, added_at = excluded.added_at;

-- name: desk_webhook_remove
-- Tell this upstream by webhook no more.
DELETE FROM webhook WHERE source = $1::text RETURNING source;

-- name: desk_webhook_forget
-- What an upstream that is told by webhook no more was still owed.
DELETE FROM webhook_delivery WHERE source = $1::text AND delivered_at IS NULL RETURNING outbox_id;
