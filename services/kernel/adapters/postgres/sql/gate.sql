-- name: brake_lock
-- The brake of one kind of sanction, locked: the cap is counted under it.
INSERT INTO brake (kind, changed_by, changed_at, reason) VALUES ($1::text, 'duly', clock_timestamp(), 'first seen')
ON CONFLICT (kind) DO UPDATE SET kind = brake.kind;

-- name: gate_facts
-- Every fact that the gate weighs. Asked only after the notice and the brake are locked by earlier statements.
SELECT legal_now() AS now,
       (SELECT coalesce(array_agg(h.kind ORDER BY h.placed_at), '{}') FROM hold h
        WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL) AS open_holds,
       (SELECT max(h.lifted_at) FROM hold h WHERE h.notice_id = n.notice_id) AS last_hold_lifted_at,
       (SELECT coalesce(array_agg(e.evidence_id::text || ': ' || e.state), '{}') FROM (
            SELECT r.evidence_id, r.state FROM raw_evidence r
            WHERE r.state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead') AND r.type IS DISTINCT FROM 'undecodable'
              AND (r.notice_id = n.notice_id
                   OR (r.source = n.source AND r.source_ref = n.source_ref)
                   OR r.notice_id IN (SELECT m.notice_id FROM notice m WHERE m.regime = n.regime AND m.matter = n.matter)
                   OR (r.source, r.source_ref) IN (SELECT m.source, m.source_ref FROM notice m
                                                   WHERE m.regime = n.regime AND m.matter = n.matter)
                   OR r.attempt_id IN (SELECT a.attempt_id FROM attempt a WHERE a.notice_id = n.notice_id)
                   OR lower(n.address) = ANY (r.addresses)
                   OR (r.notice_id IS NULL AND r.source_ref IS NULL AND r.attempt_id IS NULL AND r.addresses = '{}'))
            UNION ALL  -- what the door could not store yet: no mark that came after it says anything about it
            SELECT f.failed_id, f.state FROM failed_item f
            WHERE f.worker = 'intake' AND f.evidence_id IS NULL AND f.state IN ('retry', 'dead', 'replaying')
              AND (f.source IN (n.source, 'unknown') OR position(convert_to(n.notice_id::text, 'UTF8') IN f.body) > 0)
            LIMIT 5) AS e) AS waiting_evidence,
       EXISTS (SELECT FROM raw_evidence r WHERE r.state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead')
               AND r.type = 'undecodable' AND (r.source IS NULL OR r.source = n.source)) AS blocked_source,
       (SELECT m.sent_at FROM mark m ORDER BY m.sent_at DESC LIMIT 1) AS marks_committed_through,
       coalesce(b.stopped, false) AS stop_switch,
       b.cap_per_hour,
       (SELECT count(*) FROM sanction f WHERE f.kind = $2::text AND f.fired_at > (SELECT legal_now()) - interval '1 hour')::integer
           AS fired_last_hour,
       s.sanction_id, s.state AS sanction_state, s.proposed_at, s.decided_by, s.approved_by,
       w.word, w.said_by, w.reason AS word_reason, w.batch_id,
       coalesce(w.word = 'release' AND w.seen_change >= (
           SELECT coalesce(max(c.change_id), 0) FROM brake_change c WHERE c.kind = $2::text AND c.change = 'stopped'), false)
           AS released,
       EXISTS (SELECT FROM sanction o WHERE o.regime = n.regime AND o.matter = n.matter
               AND o.state IN ('fired', 'reversal_required', 'upheld')) AS effective_sanction_in_matter,
       EXISTS (SELECT FROM sanction o WHERE o.regime = n.regime AND o.matter = n.matter
               AND o.state = 'reversal_required') AS undecided_reversal_in_matter
FROM notice n
LEFT JOIN brake b ON b.kind = $2::text
LEFT JOIN sanction s ON s.notice_id = n.notice_id AND s.deadline_version = $3::integer
LEFT JOIN sanction_word w ON w.sanction_id = s.sanction_id
WHERE n.notice_id = $1::uuid;

-- name: gate_wait_set
-- When the gate must look again at these notices.
INSERT INTO gate_wait (notice_id, version, look_again_at, looked_at, waiting_for)
SELECT u.notice_id, u.version, u.look_again_at, clock_timestamp(), string_to_array(u.waiting_for, E'\n')
FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[]) AS u(notice_id, version, look_again_at, waiting_for)
ON CONFLICT (notice_id) DO UPDATE SET version = excluded.version, look_again_at = excluded.look_again_at,
    looked_at = excluded.looked_at, handed_at = NULL, waiting_for = excluded.waiting_for;

-- name: gate_wait_end
-- The gate has decided about these notices.
DELETE FROM gate_wait USING unnest($1::uuid[]) AS u(notice_id) WHERE gate_wait.notice_id = u.notice_id;

-- name: gate_wake
-- Facts about these notices, about their addresses, or about what they wait for, may unblock the gate.
WITH woken AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u(notice_id, address, reason))
UPDATE gate_wait SET look_again_at = legal_now()
WHERE gate_wait.notice_id IN (SELECT w.notice_id FROM woken w WHERE w.notice_id IS NOT NULL)
   OR gate_wait.notice_id IN (SELECT a.notice_id FROM attempt a JOIN woken w ON lower(a.address) = w.address)
   OR gate_wait.waiting_for && (SELECT array_agg(w.reason) FROM woken w WHERE w.reason IS NOT NULL);

-- name: gate_wait_lock
-- The wait of one notice, locked before the gate reads its facts: who wakes it meanwhile waits, and wakes the new wait.
SELECT notice_id FROM gate_wait WHERE notice_id = $1::uuid FOR NO KEY UPDATE;

-- name: gate_waits_due
-- Waits whose instant has come in legal time; those that were handed out without an answer; and, at long last, all
-- others. No more are out at a time than the limit, so that what is fresh need not queue behind what is handed out again.
UPDATE gate_wait SET look_again_at = NULL, handed_at = clock_timestamp() WHERE notice_id IN (
    SELECT notice_id FROM gate_wait
    WHERE look_again_at <= legal_now()
       OR handed_at < clock_timestamp() - make_interval(secs => $2::float8)
       OR (handed_at IS NULL AND looked_at < clock_timestamp() - interval '10 minutes')
    ORDER BY looked_at
    LIMIT greatest(0, $1::integer - (SELECT count(*) FROM gate_wait h
                                     WHERE h.handed_at >= clock_timestamp() - make_interval(secs => $2::float8)))
    FOR UPDATE SKIP LOCKED)
RETURNING notice_id, version;

-- name: gate_waits_any
-- Whether the gate waits for anything, so that marks are worth sending.
SELECT EXISTS (SELECT FROM gate_wait);
