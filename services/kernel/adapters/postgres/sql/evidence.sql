-- name: evidence_insert
-- Raw evidence as a door took it in; the same event of the same source once. `received_at` is legal time.
INSERT INTO raw_evidence (evidence_id, door, source, event_id, type, received_at, content_type, headers, body, notice_id,
                          source_ref, attempt_id, addresses, state)
SELECT u.evidence_id, u.door, u.source, u.event_id, u.type, legal_now(), u.content_type, u.headers, u.body,
       coalesce(u.notice_id, a.notice_id, n.notice_id), u.source_ref, u.attempt_id,
       coalesce(string_to_array(nullif(u.addresses, ''), E'\n'), '{}'), u.state
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::bytea[], $9::uuid[],
            $10::text[], $11::uuid[], $12::text[], $13::text[])
     AS u(evidence_id, door, source, event_id, type, content_type, headers, body, notice_id, source_ref, attempt_id, addresses,
          state)
LEFT JOIN attempt a ON a.attempt_id = u.attempt_id
LEFT JOIN notice n ON n.source = u.source AND n.source_ref = u.source_ref
ON CONFLICT (source, event_id, (door = 'callback')) WHERE door IN ('amqp', 'http', 'callback') AND event_id IS NOT NULL DO NOTHING
RETURNING evidence_id;

-- name: evidence_lock
-- These pieces of raw evidence, locked in id order.
SELECT evidence_id, door, source, event_id, type, received_at, content_type, headers::text AS headers, body, notice_id,
       source_ref, attempt_id, addresses, state
FROM raw_evidence WHERE evidence_id = ANY($1::uuid[]) ORDER BY evidence_id FOR NO KEY UPDATE;

-- name: evidence_judge
-- What became of pieces of raw evidence, and the notice and addresses that they turned out to name.
UPDATE raw_evidence SET state = u.state, outcome = u.outcome, looked_at = clock_timestamp(),
    notice_id = coalesce(u.notice_id, raw_evidence.notice_id),
    addresses = coalesce(string_to_array(nullif(u.addresses, ''), E'\n'), raw_evidence.addresses)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[]) AS u(evidence_id, state, outcome, notice_id, addresses)
WHERE raw_evidence.evidence_id = u.evidence_id;

-- name: evidence_state
-- The state of pieces of raw evidence whose item failed or was set free.
UPDATE raw_evidence SET state = $2::text, outcome = $3::text, looked_at = clock_timestamp()
WHERE evidence_id = ANY($1::uuid[]) AND state NOT IN ('processed', 'refused', 'cleared');

-- name: evidence_unlooked
-- Evidence that waits though its message should have come by now, and parked evidence whose notice may exist by now.
UPDATE raw_evidence SET looked_at = clock_timestamp() WHERE evidence_id IN (
    SELECT evidence_id FROM raw_evidence
    WHERE state IN ('waiting', 'parked')
      AND coalesce(looked_at, received_at - (legal_now() - clock_timestamp()))
          < clock_timestamp() - make_interval(secs => $2::float8)
    ORDER BY received_at LIMIT $1::integer FOR UPDATE SKIP LOCKED)
RETURNING evidence_id, door;

-- name: evidence_forsake
-- Answers that began and never became complete: no longer evidence, and nothing waits for them. The sender was told
-- nothing; what had come of their files is deleted.
WITH forsaken AS (
    UPDATE raw_evidence SET state = 'refused', outcome = 'it never became complete', looked_at = clock_timestamp()
    WHERE evidence_id IN (
        SELECT evidence_id FROM raw_evidence
        WHERE state = 'receiving'
          AND received_at - (legal_now() - clock_timestamp()) < clock_timestamp() - make_interval(secs => $2::float8)
        ORDER BY received_at LIMIT $1::integer FOR UPDATE SKIP LOCKED)
    RETURNING evidence_id, notice_id),
emptied AS (
    DELETE FROM upload_part USING upload, forsaken
    WHERE upload_part.upload_id = upload.upload_id AND upload.evidence_id = forsaken.evidence_id)
SELECT notice_id FROM forsaken;

-- name: callback_keep
-- Callbacks that carried many events, whole.
INSERT INTO callback_batch (batch_id, provider, received_at, headers, body)
SELECT u.batch_id, u.provider, legal_now(), u.headers, u.body
FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::bytea[]) AS u(batch_id, provider, headers, body);

-- name: content_view
-- Notices that their recipients have opened for the first time.
UPDATE notice_content SET first_viewed_at = u.viewed_at, first_viewed_by = u.viewed_by
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS u(notice_id, viewed_at, viewed_by)
WHERE notice_content.notice_id = u.notice_id AND notice_content.first_viewed_at IS NULL;

-- name: mark_commit
-- A timed mark came through the evidence queue.
INSERT INTO mark (mark_id, sent_at, committed_at) SELECT u.mark_id, u.sent_at, clock_timestamp()
FROM unnest($1::uuid[], $2::timestamptz[]) AS u(mark_id, sent_at) ON CONFLICT (mark_id) DO NOTHING;
