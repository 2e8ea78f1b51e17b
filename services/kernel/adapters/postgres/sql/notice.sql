-- name: notice_save
-- The new standing of notices that this transaction has locked.
UPDATE notice SET state = u.state, seq = u.seq, chain_head = u.chain_head, rendered_at = u.rendered_at,
    content_available_at = u.content_available_at, alert_accepted_at = u.alert_accepted_at, served_at = u.served_at,
    deemed_on = u.deemed_on, deadline_version = u.deadline_version, deadline_at = u.deadline_at,
    satisfied_at = u.satisfied_at, lapsed_at = u.lapsed_at, closed_at = u.closed_at, sanctioned_at = u.sanctioned_at,
    unserved_at = u.unserved_at, withdrawn_at = u.withdrawn_at, told = u.told
FROM unnest(
    $1::uuid[], $2::text[], $3::integer[], $4::bytea[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::date[], $10::integer[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
    $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::integer[])
AS u(notice_id, state, seq, chain_head, rendered_at, content_available_at, alert_accepted_at, served_at, deemed_on,
     deadline_version, deadline_at, satisfied_at, lapsed_at, closed_at, sanctioned_at, unserved_at, withdrawn_at,
     told)
WHERE notice.notice_id = u.notice_id;

-- name: notice_lock
-- Lock notices in id order, so that no two batches wait for each other in a ring.
SELECT *, (SELECT t.traceparent FROM notice_trace t WHERE t.notice_id = notice.notice_id) AS traceparent
FROM notice WHERE notice_id = ANY($1::uuid[]) ORDER BY notice_id FOR NO KEY UPDATE;

-- name: notice_find
-- The notices of these (source, source_ref).
SELECT n.notice_id, n.source, n.source_ref FROM notice n
JOIN unnest($1::text[], $2::text[]) AS u(source, source_ref) ON n.source = u.source AND n.source_ref = u.source_ref;

-- name: notice_known_requests
-- Notices that were requested before, with the request as it was.
SELECT n.*, c.request::text AS request, c.content_hash,
       (SELECT t.traceparent FROM notice_trace t WHERE t.notice_id = n.notice_id) AS traceparent
FROM notice n
JOIN unnest($1::text[], $2::text[]) AS u(source, source_ref) ON n.source = u.source AND n.source_ref = u.source_ref
JOIN notice_content c ON c.notice_id = n.notice_id;

-- name: notice_traces
-- The traces that upstream gave for these notices.
SELECT notice_id, traceparent FROM notice_trace WHERE notice_id = ANY($1::uuid[]);

-- name: notice_opened
-- Those whose content the recipient has viewed.
SELECT notice_id FROM notice_content WHERE notice_id = ANY($1::uuid[]) AND first_viewed_at IS NOT NULL;

-- name: clock
-- Both clocks, now; not the transaction's beginning.
SELECT legal_now() AS legal, clock_timestamp() AS wall, is_trial() AS trial;
