-- name: notice_insert
-- New notices; a (source, source_ref) that another transaction inserted meanwhile fails the statement.
INSERT INTO notice SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::boolean[], $16::text[], $17::integer[],
    $18::bytea[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[], $23::timestamptz[],
    $24::date[], $25::integer[], $26::timestamptz[], $27::timestamptz[], $28::timestamptz[], $29::timestamptz[],
    $30::timestamptz[], $31::timestamptz[], $32::timestamptz[], $33::integer[], $34::text[], $35::text[], $36::date[]);

-- name: notice_save
-- The new standing of notices that this transaction has locked.
UPDATE notice SET state = u.state, seq = u.seq, chain_head = u.chain_head, rendered_at = u.rendered_at,
    content_available_at = u.content_available_at, alert_accepted_at = u.alert_accepted_at, served_at = u.served_at,
    deemed_on = u.deemed_on, deadline_version = u.deadline_version, deadline_at = u.deadline_at,
    satisfied_at = u.satisfied_at, lapsed_at = u.lapsed_at, closed_at = u.closed_at, sanctioned_at = u.sanctioned_at,
    unserved_at = u.unserved_at, withdrawn_at = u.withdrawn_at
FROM unnest(
    $1::uuid[], $2::text[], $3::integer[], $4::bytea[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::date[], $10::integer[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
    $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[])
AS u(notice_id, state, seq, chain_head, rendered_at, content_available_at, alert_accepted_at, served_at, deemed_on,
     deadline_version, deadline_at, satisfied_at, lapsed_at, closed_at, sanctioned_at, unserved_at, withdrawn_at)
WHERE notice.notice_id = u.notice_id;

-- name: notice_lock
-- Lock notices in id order, so that no two batches wait for each other in a ring.
SELECT * FROM notice WHERE notice_id = ANY($1::uuid[]) ORDER BY notice_id FOR NO KEY UPDATE;

-- name: notice_find
-- The notices of these (source, source_ref).
SELECT n.notice_id, n.source, n.source_ref FROM notice n
JOIN unnest($1::text[], $2::text[]) AS u(source, source_ref) ON n.source = u.source AND n.source_ref = u.source_ref;

-- name: notice_known_requests
-- Notices that were requested before, with the request as it was.
SELECT n.*, c.request::text AS request, c.content_hash FROM notice n
JOIN unnest($1::text[], $2::text[]) AS u(source, source_ref) ON n.source = u.source AND n.source_ref = u.source_ref
JOIN notice_content c ON c.notice_id = n.notice_id;

-- name: notice_opened
-- Those whose content the recipient has viewed.
SELECT notice_id FROM notice_content WHERE notice_id = ANY($1::uuid[]) AND first_viewed_at IS NOT NULL;

-- name: content_store
-- The words of new notices.
INSERT INTO notice_content (notice_id, request, subject, body_text, body_html, content_hash)
SELECT * FROM unnest($1::uuid[], $2::jsonb[], $3::text[], $4::text[], $5::text[], $6::bytea[]);

-- name: event_append
-- Events of evidence chains, in the order in which they were recorded.
INSERT INTO notice_event (notice_id, seq, kind, at, actor, data, digest)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[], $5::text[], $6::jsonb[], $7::bytea[]);

-- name: clock
-- Both clocks, now; not the transaction's beginning.
SELECT legal_now() AS legal, clock_timestamp() AS wall, is_trial() AS trial;
