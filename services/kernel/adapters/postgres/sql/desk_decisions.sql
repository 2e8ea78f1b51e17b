-- name: desk_sanctions_awaiting
-- Proposed sanctions of discretionary kinds, those whose objection window ends first before the others, with what persons
-- said so far and what the gate waits for.
SELECT s.sanction_id, s.notice_id, n.source_ref, n.business_id, s.regime, s.matter, s.kind, s.proposed_at, s.objections_until,
       s.decided_by, s.approved_by, v.word, v.said_by AS word_by, coalesce(w.waiting_for, '{}') AS waiting_for,
       w.look_again_at
FROM sanction s JOIN notice n ON n.notice_id = s.notice_id
LEFT JOIN sanction_word v ON v.sanction_id = s.sanction_id
LEFT JOIN gate_wait w ON w.notice_id = s.notice_id AND w.version = s.deadline_version
WHERE s.state = 'proposed' AND NOT s.automatic
ORDER BY s.objections_until, s.sanction_id LIMIT $1::integer;

-- name: desk_evidence_one
-- One piece of raw evidence as its door took it in, without its body.
SELECT r.evidence_id, r.door, r.source, r.event_id, r.type, r.received_at, r.content_type, r.headers::text AS headers, r.state,
       r.outcome, r.notice_id, r.source_ref, r.attempt_id, r.addresses, r.looked_at, octet_length(r.body) AS bytes,
       n.source_ref AS notice_ref
FROM raw_evidence r LEFT JOIN notice n ON n.notice_id = r.notice_id WHERE r.evidence_id = $1::uuid;

-- name: desk_evidence_body
-- The beginning of the body of one piece of raw evidence.
SELECT substring(body FROM 1 FOR $2::integer) AS body FROM raw_evidence WHERE evidence_id = $1::uuid;

-- name: desk_evidence_candidates
-- Notices of which a mail went to an address that the evidence names, newest first: what a report may be about.
SELECT n.notice_id, n.source_ref, n.business_id, n.state, max(a.started_at) AS sent_at
FROM raw_evidence r JOIN attempt a ON lower(a.address) = ANY (r.addresses) JOIN notice n ON n.notice_id = a.notice_id
WHERE r.evidence_id = $1::uuid
GROUP BY n.notice_id, n.source_ref, n.business_id, n.state ORDER BY max(a.started_at) DESC LIMIT 10;
