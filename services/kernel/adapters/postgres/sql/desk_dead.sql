-- name: desk_dead_find
-- Failed items by id or by the end of their id.
SELECT failed_id FROM failed_item
WHERE length($1::text) >= 4 AND right(failed_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_dead
-- Failed items, oldest first, with what a replay would meet: whether the item was done before, its evidence, its notice.
SELECT f.failed_id, f.worker, f.state, f.source, f.event_id, f.type, f.notice_id, f.evidence_id, f.reason,
       jsonb_array_length(f.history) AS attempts, f.next_at, f.created_at, f.changed_at,
       clock_timestamp() - f.created_at AS age, octet_length(f.body) AS bytes,
       EXISTS (SELECT FROM processed p WHERE p.consumer = f.worker AND p.source = f.source AND p.event_id = f.event_id
               AND p.subject = f.subject) AS done_before,
       e.state AS evidence_state, n.state AS notice_state, n.source_ref,
       (SELECT count(*) FROM failed_item_action a WHERE a.failed_id = f.failed_id)::integer AS actions
FROM failed_item f LEFT JOIN raw_evidence e ON e.evidence_id = f.evidence_id
LEFT JOIN notice n ON n.notice_id = f.notice_id
WHERE ($1::uuid[] IS NULL OR f.failed_id = ANY($1)) AND ($2::text IS NULL OR f.state = $2)
  AND ($3::text IS NULL OR f.worker = $3) AND ($4::text IS NULL OR f.type = $4)
  AND ($5::text IS NULL OR position(lower($5) IN lower(f.reason)) > 0)
  AND ($6::timestamptz IS NULL OR f.created_at >= $6)
ORDER BY f.created_at, f.failed_id LIMIT $7::integer;

-- name: desk_dead_body
-- One failed item with all that is kept of it.
SELECT content_type, headers::text AS headers, body, history::text AS history FROM failed_item WHERE failed_id = $1::uuid;

-- name: desk_dead_actions
-- What persons did with one failed item, oldest first.
SELECT action_id, at, actor, action, reason, body_before FROM failed_item_action WHERE failed_id = $1::uuid ORDER BY at, action_id;

-- name: desk_dead_replay
-- Make failed items due at once, with all their attempts before them; `relay` sends them. Answers which.
WITH replayed AS (
    UPDATE failed_item SET state = 'retry', next_at = clock_timestamp(), attempts = 0, changed_at = clock_timestamp()
    FROM unnest($1::uuid[], $2::uuid[]) AS u(failed_id, action_id)
    WHERE failed_item.failed_id = u.failed_id AND failed_item.state IN ('retry', 'dead', 'replaying')
    RETURNING failed_item.failed_id, u.action_id)
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT r.action_id, r.failed_id, clock_timestamp(), $3::text, 'replay', $4::text FROM replayed r
RETURNING failed_id;

-- name: desk_dead_mend
-- Replace the body of a failed item; what it was is kept with the action.
WITH before AS (
    SELECT failed_id, body FROM failed_item WHERE failed_id = $1::uuid AND state IN ('retry', 'dead', 'replaying') FOR UPDATE),
kept AS (
    INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason, body_before)
    SELECT $2::uuid, b.failed_id, clock_timestamp(), $3::text, 'mend', $4::text, b.body FROM before b)
UPDATE failed_item SET body = $5::bytea, type = $6::text, content_type = $7::text, headers = $8::jsonb,
    routing_key = coalesce($9::text, failed_item.routing_key), changed_at = clock_timestamp()
FROM before b WHERE failed_item.failed_id = b.failed_id RETURNING failed_item.failed_id;

-- name: desk_dead_discard
-- Give failed items up; they are kept. Answers which.
WITH discarded AS (
    UPDATE failed_item SET state = 'discarded', next_at = NULL, changed_at = clock_timestamp()
    FROM unnest($1::uuid[], $2::uuid[]) AS u(failed_id, action_id)
    WHERE failed_item.failed_id = u.failed_id AND failed_item.state IN ('retry', 'dead', 'replaying')
    RETURNING failed_item.failed_id, u.action_id)
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT d.action_id, d.failed_id, clock_timestamp(), $3::text, 'discard', $4::text FROM discarded d
RETURNING failed_id;
