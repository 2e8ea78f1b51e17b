-- What is kept about one business. Bodies are read one at a time; lists are in an order that stays.

-- name: subject_counts
-- How much there is of each kind.
WITH n AS (SELECT notice_id, regime, matter, source, data_hash FROM notice WHERE business_id = $1::text)
SELECT (SELECT count(*) FROM n) AS notices,
       (SELECT count(*) FROM notice_content c JOIN n ON n.notice_id = c.notice_id WHERE c.erased_at IS NOT NULL) AS erased,
       (SELECT count(*) FROM notice_event e JOIN n ON n.notice_id = e.notice_id) AS facts,
       (SELECT count(*) FROM raw_evidence r JOIN n ON n.notice_id = r.notice_id) AS evidence,
       (SELECT count(*) FROM upload u JOIN n ON n.notice_id = u.notice_id WHERE u.size IS NOT NULL) AS files,
       (SELECT coalesce(sum(u.size), 0)::bigint FROM upload u JOIN n ON n.notice_id = u.notice_id
        WHERE u.erased_at IS NULL) AS file_bytes,
       (SELECT count(*) FROM outbox o JOIN n ON n.notice_id = o.notice_id WHERE o.source IS NOT NULL) AS told,
       (SELECT count(*) FROM failed_item f JOIN n ON n.notice_id = f.notice_id) AS failed,
       (SELECT count(*) FROM access_record a WHERE a.act NOT LIKE 'subject.%'
          AND (a.business_id = $1::text OR a.notice_id IN (SELECT n.notice_id FROM n))) AS accesses,
       (SELECT count(*) FROM legal_hold l WHERE l.lifted_at IS NULL
          AND (l.business_id = $1::text OR l.notice_id IN (SELECT n.notice_id FROM n)
               OR (l.regime, l.matter) IN (SELECT n.regime, n.matter FROM n))) AS legal_holds;

-- name: subject_notices
-- The notices of a business after this id.
SELECT notice_id FROM notice WHERE business_id = $1::text AND notice_id > $2::uuid ORDER BY notice_id LIMIT $3::integer;

-- name: subject_words
-- The words of one notice, and the request behind them.
SELECT request::text AS request, subject, body_text, body_html, content_hash, first_viewed_at, first_viewed_by, erased_at
FROM notice_content WHERE notice_id = $1::uuid;

-- name: subject_evidence
-- The raw evidence that names one notice, without bodies.
SELECT evidence_id, door, source, event_id, type, received_at, content_type, headers::text AS headers, source_ref, attempt_id,
       addresses, state, outcome, octet_length(body) AS bytes, body_sha256, erased_at
FROM raw_evidence WHERE notice_id = $1::uuid ORDER BY received_at, evidence_id;

-- name: subject_evidence_body
-- The body of one piece of raw evidence.
SELECT body FROM raw_evidence WHERE evidence_id = $1::uuid;

-- name: subject_files
-- The files that came with answers about one notice.
SELECT upload_id, evidence_id, number, shown_name, media_type, size, digest, erased_at
FROM upload WHERE notice_id = $1::uuid AND size IS NOT NULL ORDER BY evidence_id, number;

-- name: subject_told
-- What upstream was told of one notice.
SELECT outbox_id, type, created_at, sent_at, erased_at, body FROM outbox
WHERE notice_id = $1::uuid AND source IS NOT NULL ORDER BY outbox_id;

-- name: subject_requests
-- The requests for one notice as they came over HTTP.
SELECT e.event_id, e.received_at, e.erased_at, e.body FROM intake_event e JOIN notice n
    ON n.source = e.source AND n.data_hash = e.data_hash
WHERE n.notice_id = $1::uuid ORDER BY e.received_at, e.event_id;

-- name: subject_failed
-- Messages about one notice that failed, and what became of them.
SELECT failed_id, worker, state, type, reason, attempts, created_at, changed_at, erased_at, body FROM failed_item
WHERE notice_id = $1::uuid ORDER BY created_at, failed_id;

-- name: subject_retention
-- Until when the content of one notice is kept, as it was found last.
SELECT kept_until, kept_for, look_again_at, erased_at, asked_by, asked_reason, asked_at FROM retention
WHERE notice_id = $1::uuid;

-- name: subject_accesses
-- Who looked at what, after this number; who asked for this export is left out, else no two would be alike.
SELECT a.access_id, a.at, a.site, a.person, a.act, a.allowed, a.business_id, a.notice_id, a.detail FROM access_record a
WHERE a.access_id > $2::bigint AND a.act NOT LIKE 'subject.%'
  AND (a.business_id = $1::text OR a.notice_id IN (SELECT n.notice_id FROM notice n WHERE n.business_id = $1::text))
ORDER BY a.access_id LIMIT $3::integer;

-- name: subject_legal_holds
-- Every legal hold that was ever on a business, a matter or a notice of it.
SELECT DISTINCT l.* FROM legal_hold l LEFT JOIN notice n ON n.business_id = $1::text
    AND (l.notice_id = n.notice_id OR (l.regime = n.regime AND l.matter = n.matter))
WHERE l.business_id = $1::text OR n.notice_id IS NOT NULL ORDER BY l.placed_at, l.legal_hold_id;

-- name: subject_due
-- The notices of a business with their state, and until when content is kept, after this id.
SELECT n.notice_id, n.source_ref, n.notice_type, n.state, n.accepted_at, r.kept_until, coalesce(r.kept_for, '{}') AS kept_for,
       c.erased_at
FROM notice n LEFT JOIN retention r ON r.notice_id = n.notice_id LEFT JOIN notice_content c ON c.notice_id = n.notice_id
WHERE n.business_id = $1::text ORDER BY n.notice_id DESC LIMIT $2::integer;

-- name: subject_exports
-- Who asked for everything about a business, newest first.
SELECT at, site, person, business_id, detail FROM access_record WHERE act = 'subject.export'
ORDER BY access_id DESC LIMIT $1::integer;
