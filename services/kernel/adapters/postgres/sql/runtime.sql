-- name: processed_already
-- Which of these items this consumer has done or refused before.
SELECT p.source, p.event_id, p.subject FROM processed p
JOIN unnest($2::text[], $3::text[], $4::uuid[]) AS u(source, event_id, subject)
  ON p.event_id = u.event_id AND p.subject = u.subject AND p.source = u.source
WHERE p.consumer = $1::text;

-- name: processed_remember
-- Items that are done or refused.
INSERT INTO processed (consumer, source, event_id, subject, outcome)
SELECT $1::text, * FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[]) ON CONFLICT DO NOTHING;

-- fragment: history_kept
-- The history with room for one more: the first hundred failures, and the last.
CASE WHEN jsonb_array_length(failed_item.history) < 200 THEN failed_item.history ELSE failed_item.history - 100 END;

-- fragment: is_over
-- Whether nothing was to come of a failed item any more.
failed_item.state IN ('resolved', 'discarded');

-- name: failed_upsert
-- Items that failed: a first failure, or one more of the same item. One that was over, as a person had given it up or as it
-- was refused to a stranger, begins anew with what came now: whatever is acknowledged is kept.
INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, notice_id, evidence_id, routing_key,
                         content_type, headers, body, reason, attempts, history, next_at, created_at, changed_at, notice_type)
SELECT u.failed_id, $1::text, CASE WHEN u.next_after IS NULL THEN 'dead' ELSE 'retry' END, u.source, u.event_id, u.type,
       u.subject, u.notice_id, u.evidence_id, u.routing_key, u.content_type, u.headers, u.body, u.reason, 1,
       jsonb_build_array(jsonb_build_object('at', clock_timestamp(), 'error', u.error, 'stack', u.stack)),
       clock_timestamp() + make_interval(secs => u.next_after), clock_timestamp(), clock_timestamp(), u.notice_type
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[],
            $11::jsonb[], $12::bytea[], $13::text[], $14::text[], $15::text[], $16::float8[], $17::text[])
     AS u(failed_id, source, event_id, type, subject, notice_id, evidence_id, routing_key, content_type, headers, body,
          reason, error, stack, next_after, notice_type)
ON CONFLICT (event_id, subject, source, worker) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, attempts = failed_item.attempts + 1,
    notice_id = coalesce(excluded.notice_id, failed_item.notice_id),
    history = ({{history_kept}}) || excluded.history, next_at = excluded.next_at, changed_at = clock_timestamp(),
    evidence_id = CASE WHEN {{is_over}} THEN excluded.evidence_id ELSE failed_item.evidence_id END,
    content_type = CASE WHEN {{is_over}} THEN excluded.content_type ELSE failed_item.content_type END,
    headers = CASE WHEN {{is_over}} THEN excluded.headers ELSE failed_item.headers END,
    body = CASE WHEN {{is_over}} THEN excluded.body ELSE failed_item.body END,
    begun = CASE WHEN {{is_over}} THEN 0 ELSE failed_item.begun END,
    erased_at = NULL, body_sha256 = NULL;

-- name: failed_again
-- A retried or replayed item failed once more; its row keeps the whole history.
UPDATE failed_item SET state = CASE WHEN u.next_after IS NULL THEN 'dead' ELSE 'retry' END, reason = u.reason,
    attempts = attempts + 1, begun = 0, notice_id = coalesce(u.notice_id, failed_item.notice_id),
    history = ({{history_kept}}) || jsonb_build_array(jsonb_build_object('at', clock_timestamp(), 'error', u.error, 'stack', u.stack)),
    next_at = clock_timestamp() + make_interval(secs => u.next_after), changed_at = clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::float8[])
     AS u(failed_id, notice_id, reason, error, stack, next_after)
WHERE failed_item.failed_id = u.failed_id AND failed_item.state IN ('retry', 'dead', 'replaying');

-- name: failed_again_kept
-- What could not be read is kept anew when its replay fails: it goes on holding its source's sanctions, once. The header
-- that names the dead letter proves nothing, so only the same bytes from the same source take the older one's place.
WITH again AS (
    SELECT f.failed_id, was.evidence_id AS was, now.evidence_id AS now
    FROM unnest($1::uuid[], $2::uuid[]) AS u(failed_id, evidence_id)
    JOIN failed_item f ON f.failed_id = u.failed_id
    JOIN raw_evidence was ON was.evidence_id = f.evidence_id AND was.type = 'undecodable'
    JOIN raw_evidence now ON now.evidence_id = u.evidence_id AND now.type = 'undecodable'
    WHERE was.evidence_id <> now.evidence_id AND was.body = now.body AND was.source IS NOT DISTINCT FROM now.source),
cleared AS (
    UPDATE raw_evidence SET state = 'cleared', outcome = 'kept anew, as its replay failed', looked_at = clock_timestamp()
    FROM again a WHERE raw_evidence.evidence_id = a.was AND raw_evidence.state = 'dead')
UPDATE failed_item SET evidence_id = a.now FROM again a WHERE failed_item.failed_id = a.failed_id;

-- name: failed_begin
-- A worker begins with a retried item that comes back from another that died; committed before the work.
UPDATE failed_item SET begun = begun + 1 WHERE failed_id = $1::uuid;

-- name: failed_begun
-- How often workers began with this item, alone, since its last failure.
SELECT begun FROM failed_item WHERE failed_id = $1::uuid;

-- name: failed_resolve
-- Retried or replayed items that are done now; undecodable evidence that a mended message replaces is cleared. The row
-- that a message names in its header must be the same item, or one that a person mended: headers prove nothing. A request
-- that became a notice at last belongs to it from now on, with all that was done to it.
WITH resolved AS (
    UPDATE failed_item SET state = 'resolved', next_at = NULL, changed_at = clock_timestamp(),
        notice_id = coalesce(failed_item.notice_id, u.notice_id)
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[]) AS u(failed_id, source, event_id, notice_id)
    WHERE failed_item.failed_id = u.failed_id AND failed_item.worker = $1::text
      AND failed_item.state IN ('retry', 'dead', 'replaying')
      AND ((failed_item.source = u.source AND failed_item.event_id = u.event_id)
           OR EXISTS (SELECT FROM failed_item_action a WHERE a.failed_id = u.failed_id AND a.action = 'mend'))
    RETURNING failed_item.evidence_id)
UPDATE raw_evidence SET state = 'cleared', outcome = 'replaced by a mended message', looked_at = clock_timestamp()
FROM resolved WHERE raw_evidence.evidence_id = resolved.evidence_id AND raw_evidence.type = 'undecodable';

-- name: failed_due
-- Items whose next attempt is due; handed out again after the grace time if no answer comes.
UPDATE failed_item SET next_at = clock_timestamp() + make_interval(secs => $2::float8), changed_at = clock_timestamp()
WHERE failed_id IN (SELECT failed_id FROM failed_item WHERE state = 'retry' AND next_at <= clock_timestamp()
                    ORDER BY next_at LIMIT $1::integer FOR UPDATE SKIP LOCKED)
RETURNING failed_id, routing_key, attempts, content_type, headers::text AS headers, body;

-- name: outbox_append
-- What is to be told; answers what may be published at once: nothing older of its notice is unsent. What is for an
-- upstream that is told by webhook is noted as to be delivered, too.
WITH told AS (
    INSERT INTO outbox (notice_id, type, body, source) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[])
    RETURNING outbox_id, notice_id, type, body, source),
hooked AS (
    INSERT INTO webhook_delivery (outbox_id, source, notice_id)
    SELECT t.outbox_id, t.source, t.notice_id FROM told t JOIN webhook w ON w.source = t.source)
SELECT t.outbox_id, t.notice_id, t.type, t.body FROM told t
WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.notice_id = t.notice_id AND o.sent_at IS NULL)
ORDER BY t.outbox_id;

-- name: outbox_sent
-- Confirmed by the broker.
UPDATE outbox SET sent_at = clock_timestamp() WHERE outbox_id = ANY($1::bigint[]) AND sent_at IS NULL;

-- name: outbox_unsent
-- What nobody has published within the grace time, and nothing older of its notice is unsent.
SELECT o.outbox_id, o.notice_id, o.type, o.body FROM outbox o
WHERE o.sent_at IS NULL AND o.created_at < clock_timestamp() - make_interval(secs => $2::float8)
  AND (o.notice_id IS NULL OR NOT EXISTS (
       SELECT FROM outbox p WHERE p.notice_id = o.notice_id AND p.sent_at IS NULL AND p.outbox_id < o.outbox_id))
ORDER BY o.outbox_id LIMIT $1::integer;

-- name: waiting
-- Everything that waits, how much of it, and the seconds that the oldest has waited (wall time): nothing may be stuck.
SELECT 'outbox' AS what, count(*) AS number, min(created_at) AS since FROM outbox WHERE sent_at IS NULL
UNION ALL SELECT 'retries', count(*), min(created_at) FROM failed_item WHERE state = 'retry'
UNION ALL SELECT 'dead_letters', count(*), min(created_at) FROM failed_item WHERE state IN ('dead', 'replaying')
UNION ALL SELECT 'alerts_sending', count(*), min(started_at) FROM attempt WHERE state = 'sending'
UNION ALL SELECT 'alerts_due', count(*), min(retry_at) FROM attempt WHERE retry_at <= clock_timestamp()
UNION ALL SELECT 'webhooks', count(*), min(o.created_at)
    FROM webhook_delivery d JOIN outbox o ON o.outbox_id = d.outbox_id WHERE d.delivered_at IS NULL
UNION ALL SELECT 'evidence_' || s.state, count(r.evidence_id), min(r.received_at) - (legal_now() - clock_timestamp())
    FROM (VALUES ('receiving'), ('waiting'), ('retrying'), ('parked'), ('dead')) AS s(state)
    LEFT JOIN raw_evidence r ON r.state = s.state GROUP BY s.state
UNION ALL SELECT 'holds', count(*), min(placed_at) - (legal_now() - clock_timestamp()) FROM hold WHERE lifted_at IS NULL
UNION ALL SELECT 'reversals', count(*), min(required_at) - (legal_now() - clock_timestamp()) FROM reversal WHERE decision IS NULL
UNION ALL SELECT 'gate', count(*), min(looked_at) FROM gate_wait
UNION ALL SELECT 'erasures', count(*), min(look_again_at) - (legal_now() - clock_timestamp())
    FROM retention WHERE look_again_at <= legal_now()
UNION ALL SELECT 'deadlines_due', count(*), min(due_at) - (legal_now() - clock_timestamp())
    FROM deadline WHERE passed_at IS NULL AND due_at <= legal_now();

-- name: figures
-- What stands still, and why, for `/metrics`: each figure's name, of what it is, and how much.
SELECT 'dead_letters' AS name, worker AS of, count(*)::float8 AS value FROM failed_item
    WHERE state IN ('dead', 'replaying') GROUP BY worker
UNION ALL SELECT 'dead_letters_impact', i.impact, count(*)::float8
    FROM (SELECT {{impact}} AS impact FROM {{letter_tables}} WHERE f.state IN ('dead', 'replaying')) AS i GROUP BY i.impact
UNION ALL SELECT 'runs_stopped', k.kind, count(r.run_id)::float8
    FROM (VALUES ('rehearsal'), ('replay')) AS k(kind) LEFT JOIN replay_run r ON r.kind = k.kind AND r.state = 'stopped' GROUP BY k.kind
UNION ALL SELECT 'gate_waiting', w.reason, count(*)::float8
    FROM gate_wait g CROSS JOIN LATERAL unnest(g.waiting_for) AS w(reason) GROUP BY w.reason
UNION ALL SELECT 'retention_kept', k.reason, count(*)::float8
    FROM retention r CROSS JOIN LATERAL unnest(r.kept_for) AS k(reason) WHERE r.kept_for <> '{}' GROUP BY k.reason
UNION ALL SELECT 'sanctions_last_hour', b.kind, (SELECT count(*) FROM sanction s WHERE s.kind = b.kind
        AND s.fired_at > (SELECT legal_now()) - interval '1 hour')::float8 FROM brake b
UNION ALL SELECT 'stopped', b.kind, b.stopped::integer::float8 FROM brake b
UNION ALL SELECT 'stopped', 'mail', (on_since IS NOT NULL AND (until IS NULL OR until > clock_timestamp()))::integer::float8
    FROM sending_brake
UNION ALL SELECT 'silence_seconds', 'mark', extract(epoch FROM legal_now() - m.sent_at)::float8
    FROM (SELECT sent_at FROM mark ORDER BY sent_at DESC LIMIT 1) AS m
UNION ALL SELECT 'silence_seconds', 'inbox', extract(epoch FROM clock_timestamp() - u.beat_at)::float8
    FROM (SELECT beat_at FROM inbox_up ORDER BY from_at DESC LIMIT 1) AS u;
