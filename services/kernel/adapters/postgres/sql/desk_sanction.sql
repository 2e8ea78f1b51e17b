-- name: desk_hold
-- One hold.
SELECT hold_id, notice_id, kind, reason, placed_by, placed_at, lifted_at, lifted_by, lift_reason
FROM hold WHERE hold_id = $1::uuid;

-- name: desk_hold_find
-- Holds by id or by the end of their id.
SELECT hold_id FROM hold
WHERE length($1::text) >= 4 AND right(hold_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_holds
-- Holds, oldest first.
SELECT h.hold_id, h.notice_id, n.source_ref, n.business_id, n.state AS notice_state, h.kind, h.reason, h.placed_by, h.placed_at,
       h.lifted_by, h.lifted_at, h.lift_reason
FROM hold h JOIN notice n ON n.notice_id = h.notice_id
WHERE ($1::boolean OR h.lifted_at IS NULL) AND ($2::text IS NULL OR h.kind = $2) AND ($3::uuid IS NULL OR h.notice_id = $3)
ORDER BY h.placed_at, h.hold_id LIMIT $4::integer;

-- name: desk_sanction_find
-- Sanctions by id or by the end of their id.
SELECT sanction_id FROM sanction
WHERE length($1::text) >= 4 AND right(sanction_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_sanction_case
-- A sanction as a person decides about it. What upstream reported as done in time carries `response_kind`; whatever else
-- demanded the reversal speaks of delivery.
SELECT s.sanction_id, s.notice_id, s.kind, s.automatic, s.state, s.decided_by, s.approved_by,
       (SELECT w.said_by FROM sanction_word w WHERE w.sanction_id = s.sanction_id AND w.word = 'decline') AS declined_by,
       EXISTS (SELECT FROM notice_event e WHERE e.notice_id = s.notice_id AND e.data ? 'response_kind'
               AND e.kind = 'sanction.reversal_required')
       AND NOT EXISTS (SELECT FROM notice_event e WHERE e.notice_id = s.notice_id AND NOT e.data ? 'response_kind'
                       AND e.kind IN ('sanction.reversal_required', 'evidence.recorded')) AS only_satisfied
FROM sanction s WHERE s.sanction_id = $1::uuid;

-- name: desk_sanction_sign
-- Who decided about a discretionary sanction, and who approved.
UPDATE sanction SET decided_by = $2::text, approved_by = $3::text WHERE sanction_id = $1::uuid AND state = 'proposed';

-- name: desk_sanction_decline
-- A person's word against a proposed sanction; it stands against whatever was said before.
INSERT INTO sanction_word (sanction_id, word, said_by, reason)
SELECT s.sanction_id, 'decline', $2::text, $3::text FROM sanction s
WHERE s.sanction_id = $1::uuid AND s.state = 'proposed'
ON CONFLICT (sanction_id) DO UPDATE SET word = excluded.word, batch_id = NULL, said_by = excluded.said_by,
    said_at = excluded.said_at, reason = excluded.reason;

-- name: desk_sanctions
-- Sanctions, newest first, with what the gate waits for and the reversal that is demanded.
SELECT s.sanction_id, s.notice_id, n.source_ref, n.business_id, s.regime, s.matter, s.kind, s.automatic, s.state,
       n.state AS notice_state, s.proposed_at, s.objections_until, s.decided_by, s.approved_by, s.fired_at,
       coalesce(w.waiting_for, '{}') AS waiting_for, w.look_again_at, r.reason AS reversal_reason, r.required_at, r.decision,
       r.decided_by AS reversal_decided_by, r.decided_at AS reversal_decided_at, r.decision_reason,
       v.word, v.said_by AS word_by, v.said_at AS word_at, v.reason AS word_reason, v.batch_id
FROM sanction s JOIN notice n ON n.notice_id = s.notice_id
LEFT JOIN sanction_word v ON v.sanction_id = s.sanction_id
LEFT JOIN gate_wait w ON w.notice_id = s.notice_id AND w.version = s.deadline_version AND s.state = 'proposed'
LEFT JOIN reversal r ON r.sanction_id = s.sanction_id
WHERE ($1::text IS NULL OR s.state = $1) AND ($2::text IS NULL OR s.kind = $2) AND ($3::uuid IS NULL OR s.sanction_id = $3)
ORDER BY s.sanction_id DESC LIMIT $4::integer;
