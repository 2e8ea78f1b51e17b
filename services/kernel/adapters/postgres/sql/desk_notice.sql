-- name: desk_notice_find
-- Notices by id, by the end of their id, or by upstream's reference.
SELECT notice_id FROM notice
WHERE source_ref = $1::text OR (length($1::text) >= 4 AND right(notice_id::text, length($1::text)) = lower($1::text))
LIMIT 3;

-- name: desk_notices
-- Notices, newest first.
SELECT n.notice_id, n.source, n.source_ref, n.regime, n.notice_type, n.matter, n.business_id, n.state, n.trial, n.accepted_at,
       n.served_at, n.deadline_at,
       (SELECT count(*) FROM hold h WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL)::integer AS open_holds,
       s.state AS sanction
FROM notice n LEFT JOIN sanction s ON s.notice_id = n.notice_id AND s.deadline_version = n.deadline_version
WHERE ($1::text IS NULL OR n.state = $1) AND ($2::text IS NULL OR n.regime = $2)
  AND ($3::text IS NULL OR n.business_id = $3) AND ($4::text IS NULL OR n.source_ref = $4)
ORDER BY n.notice_id DESC LIMIT $5::integer;

-- name: desk_notice
-- One notice: its hot row, with the hash of its words and whether they were viewed; never the words.
SELECT n.*, c.content_hash, c.first_viewed_at, c.erased_at AS content_erased_at, r.kept_until, r.kept_for
FROM notice n LEFT JOIN notice_content c ON c.notice_id = n.notice_id LEFT JOIN retention r ON r.notice_id = n.notice_id
WHERE n.notice_id = $1::uuid;

-- name: desk_notice_attempts
-- The alerts of one notice, oldest first.
SELECT attempt_id, number, kind, address, state, started_at, settled_at, retry_at, phase, code, enhanced, reply
FROM attempt WHERE notice_id = $1::uuid ORDER BY number;

-- name: desk_notice_deadlines
-- The deadline versions of one notice.
SELECT version, deemed_on, period_days, due_on, due_at, zone, rule, calendar_version, reason, approver, passed_at
FROM deadline WHERE notice_id = $1::uuid ORDER BY version;

-- name: desk_notice_sanctions
-- The sanctions of one notice, with their reversals.
SELECT s.sanction_id, s.deadline_version, s.kind, s.automatic, s.state, s.proposed_at, s.objections_until, s.decided_by,
       s.approved_by, s.fired_at, r.reason AS reversal_reason, r.required_at, r.decision, r.decided_by AS reversal_decided_by,
       r.decided_at AS reversal_decided_at, r.decision_reason
FROM sanction s LEFT JOIN reversal r ON r.sanction_id = s.sanction_id
WHERE s.notice_id = $1::uuid ORDER BY s.deadline_version;

-- name: desk_notice_evidence
-- The raw evidence that names one notice, oldest first; never its body.
SELECT evidence_id, door, source, event_id, type, received_at, state, outcome, octet_length(body) AS bytes, erased_at,
       body_sha256
FROM raw_evidence WHERE notice_id = $1::uuid ORDER BY received_at, evidence_id;

-- name: desk_notice_wait
-- What the gate waits for with one notice.
SELECT version, look_again_at, waiting_for FROM gate_wait WHERE notice_id = $1::uuid;

-- name: desk_chain_page
-- The next notices after this id, to be verified.
SELECT * FROM notice WHERE notice_id > $1::uuid ORDER BY notice_id LIMIT $2::integer;

-- name: desk_chain_some
-- These notices, to be verified.
SELECT * FROM notice WHERE notice_id = ANY($1::uuid[]) ORDER BY notice_id;

-- name: desk_chain_facts
-- The whole evidence of these notices.
SELECT notice_id, seq, kind, at, actor, data::text AS data, digest FROM notice_event
WHERE notice_id = ANY($1::uuid[]) ORDER BY notice_id, seq;

-- name: desk_chain_contents
-- The hash of the words of these notices, and when they were erased, as the rows have them.
SELECT notice_id, content_hash, erased_at FROM notice_content WHERE notice_id = ANY($1::uuid[]);

-- name: desk_chain_orphans
-- Evidence whose notice is gone.
SELECT DISTINCT e.notice_id FROM notice_event e
WHERE NOT EXISTS (SELECT FROM notice n WHERE n.notice_id = e.notice_id) LIMIT 100;

-- name: desk_notice_count
-- How many notices there are.
SELECT count(*)::integer AS notices FROM notice;

-- name: desk_roots
-- The roots of these days, or all, oldest first, with the heads that they were made of.
SELECT day, chains, root, heads FROM chain_root WHERE $1::date[] IS NULL OR day = ANY($1) ORDER BY day;
