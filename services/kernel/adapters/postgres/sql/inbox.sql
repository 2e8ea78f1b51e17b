-- Every statement that reads a notice or what belongs to one takes the businesses that the session may act for.

-- fragment: inbox_line
-- What is shown of one notice.
n.notice_id, n.source_ref, n.regime, n.notice_type, n.state, n.content_available_at, n.deadline_at,
       c.subject, n.language, c.first_viewed_at, d.due_on, d.due_at, d.version, d.reason, legal_now() AS now,
       EXISTS (SELECT FROM hold h WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL) AS held,
       EXISTS (SELECT FROM raw_evidence r WHERE r.notice_id = n.notice_id AND r.door = 'inbox'
               AND r.state IN ('waiting', 'retrying', 'parked', 'dead')) AS looked_at,
       (SELECT s.state FROM sanction s WHERE s.notice_id = n.notice_id AND s.fired_at IS NOT NULL
        ORDER BY s.fired_at DESC LIMIT 1) AS sanction,
       c.erased_at, CASE WHEN n.state IN ('satisfied', 'closed', 'sanctioned', 'unserved', 'withdrawn')
                         THEN coalesce(n.withdrawn_at, n.unserved_at, n.sanctioned_at, n.closed_at, n.satisfied_at)
                         WHEN n.deadline_at IS NULL THEN n.served_at END AS ended_at;

-- fragment: inbox_tables
-- Where it is read from.
FROM notice n
JOIN notice_content c ON c.notice_id = n.notice_id
LEFT JOIN deadline d ON d.notice_id = n.notice_id AND d.version = n.deadline_version;

-- name: inbox_older
-- A business's notices older than this one, the newest first; ids are in the order of time.
SELECT {{inbox_line}}
{{inbox_tables}}
WHERE n.business_id = $1::text AND n.channel = 'secure_comm' AND n.content_available_at IS NOT NULL
  AND n.notice_id < $2::uuid ORDER BY n.notice_id DESC LIMIT $3::integer;

-- name: inbox_newer
-- A business's notices newer than this one, the nearest first.
SELECT {{inbox_line}}
{{inbox_tables}}
WHERE n.business_id = $1::text AND n.channel = 'secure_comm' AND n.content_available_at IS NOT NULL
  AND n.notice_id > $2::uuid ORDER BY n.notice_id LIMIT $3::integer;

-- name: inbox_unread
-- How many of a business's notices nobody has opened.
SELECT count(*) AS unread FROM notice n JOIN notice_content c ON c.notice_id = n.notice_id
WHERE n.business_id = $1::text AND n.channel = 'secure_comm' AND n.content_available_at IS NOT NULL
  AND c.first_viewed_at IS NULL AND c.erased_at IS NULL;

-- name: inbox_message
-- One notice with its words, if it is one of these businesses'.
SELECT {{inbox_line}},
       n.business_id, c.body_text, c.body_html, c.content_hash,
       (SELECT e.data ->> 'name' FROM notice_event e WHERE e.notice_id = n.notice_id AND e.kind = 'content.viewed'
        ORDER BY e.seq LIMIT 1) AS first_viewed_by
{{inbox_tables}}
WHERE n.notice_id = $1::uuid AND n.business_id = ANY ($2::text[]) AND n.channel = 'secure_comm'
  AND n.content_available_at IS NOT NULL;

-- name: inbox_answers
-- What was received through the inbox about one notice of these businesses, the oldest first; complete and sound alone.
SELECT r.evidence_id, r.received_at, r.body, r.erased_at, r.body_sha256 FROM raw_evidence r JOIN notice n ON n.notice_id = r.notice_id
WHERE r.notice_id = $1::uuid AND n.business_id = ANY ($2::text[]) AND r.door = 'inbox' AND r.state <> 'receiving'
  AND (octet_length(r.body) > 0 OR (r.erased_at IS NOT NULL AND r.body_sha256 <> sha256('')))
ORDER BY r.received_at, r.evidence_id;

-- name: inbox_file
-- One file of an answer about a notice of these businesses, when it is complete; also when it is erased by now.
SELECT u.upload_id, u.number, u.media_type, u.size, u.erased_at FROM upload u
JOIN notice n ON n.notice_id = u.notice_id JOIN raw_evidence r ON r.evidence_id = u.evidence_id
WHERE u.notice_id = $1::uuid AND u.upload_id = $2::uuid AND n.business_id = ANY ($3::text[]) AND u.size IS NOT NULL
  AND r.state <> 'receiving' AND (octet_length(r.body) > 0 OR (r.erased_at IS NOT NULL AND r.body_sha256 <> sha256('')));

-- name: inbox_businesses
-- The businesses of a trial, and what they are called.
SELECT n.business_id, coalesce(max(c.request -> 'values' ->> 'business_name'), n.business_id) AS name
FROM notice n JOIN notice_content c ON c.notice_id = n.notice_id
GROUP BY n.business_id ORDER BY min(n.accepted_at), n.business_id LIMIT $1::integer;

-- name: upload_begin
-- A file begins to come in.
INSERT INTO upload (upload_id, evidence_id, notice_id, number, shown_name, media_type)
VALUES ($1::uuid, $2::uuid, $3::uuid, $4::integer, $5::text, $6::text);

-- name: upload_part_add
-- A part of a file.
INSERT INTO upload_part (upload_id, number, bytes) VALUES ($1::uuid, $2::integer, $3::bytea);

-- name: upload_part
-- A part of a file.
SELECT bytes FROM upload_part WHERE upload_id = $1::uuid AND number = $2::integer;

-- name: upload_complete
-- The files of an answer are complete.
UPDATE upload SET size = u.size, digest = u.digest
FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS u(upload_id, size, digest) WHERE upload.upload_id = u.upload_id;

-- name: answer_complete
-- An answer is complete and sound: from now on it is evidence, received when its first byte came.
UPDATE raw_evidence SET state = 'waiting', body = $2::bytea WHERE evidence_id = $1::uuid AND state = 'receiving'
RETURNING received_at;

-- name: answer_refuse
-- An answer that broke off or cannot be taken; what had come of its files is deleted.
WITH refused AS (
    UPDATE raw_evidence SET state = 'refused', outcome = $2::text, looked_at = clock_timestamp()
    WHERE evidence_id = $1::uuid AND state = 'receiving' RETURNING evidence_id)
DELETE FROM upload_part USING upload, refused
WHERE upload_part.upload_id = upload.upload_id AND upload.evidence_id = refused.evidence_id;

-- name: desk_answer
-- One answer that came through the inbox, as it was given.
SELECT evidence_id, notice_id, received_at, state, outcome, body, erased_at, body_sha256 FROM raw_evidence
WHERE evidence_id = $1::uuid AND door = 'inbox';
