-- name: trial_rest
-- What is still moving, and when the next thing falls due by itself (legal time). Waits for a person do not move.
SELECT legal_now() AS now,
       (SELECT count(*) FROM outbox WHERE sent_at IS NULL)::integer AS messages,
       (SELECT count(*) FROM notice n WHERE n.state IN ('accepted', 'rendered')
        AND NOT EXISTS (SELECT FROM attempt a WHERE a.notice_id = n.notice_id))::integer AS notices,
       (SELECT count(*) FROM attempt WHERE state = 'sending' OR retry_at <= clock_timestamp())::integer AS mails,
       (SELECT count(*) FROM raw_evidence WHERE state IN ('receiving', 'waiting', 'retrying'))::integer AS evidence,
       (SELECT count(*) FROM failed_item f WHERE f.state IN ('retry', 'replaying') OR EXISTS (
            SELECT FROM replay_item i JOIN replay_run r ON r.run_id = i.run_id
            WHERE i.failed_id = f.failed_id AND i.ended_at IS NULL AND r.state = 'running'))::integer AS retries,
       (SELECT count(*) FROM deadline WHERE passed_at IS NULL AND due_at <= legal_now())::integer AS deadlines,
       (SELECT count(*) FROM gate_wait
        WHERE look_again_at <= legal_now() OR 'mark_missing' = ANY (waiting_for))::integer AS gates,
       (SELECT count(*) FROM failed_item WHERE state = 'dead')::integer AS dead_letters,
       least((SELECT min(due_at) FROM deadline d JOIN notice n ON n.notice_id = d.notice_id
              WHERE d.passed_at IS NULL AND n.state = 'served'),
             (SELECT min(look_again_at) FROM gate_wait)) AS next_at;

-- name: trial_standings
-- How the notices of these references stand: state, deadline, alert, sanction, open holds, and what the gate waits for.
SELECT n.notice_id, n.source_ref, n.state, n.accepted_at, d.due_on, a.state AS mail, a.code, a.enhanced,
       s.sanction_id, s.state AS sanction, coalesce(w.waiting_for, '{}') AS waiting_for, w.look_again_at,
       (SELECT coalesce(array_agg(h.kind ORDER BY h.placed_at), '{}') FROM hold h
        WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL) AS holds
FROM notice n
LEFT JOIN deadline d ON d.notice_id = n.notice_id AND d.version = n.deadline_version
LEFT JOIN LATERAL (SELECT t.state, t.code, t.enhanced FROM attempt t WHERE t.notice_id = n.notice_id
                   ORDER BY t.number DESC LIMIT 1) AS a ON true
LEFT JOIN sanction s ON s.notice_id = n.notice_id AND s.deadline_version = n.deadline_version
LEFT JOIN gate_wait w ON w.notice_id = n.notice_id
WHERE n.source_ref = ANY ($1::text[]);

-- name: trial_refusals
-- The answers to requests that were refused.
SELECT body FROM outbox WHERE type = 'notice.refused.v1';

-- name: trial_failed
-- The dead letter that a message became, by its body as it was published.
SELECT failed_id FROM failed_item WHERE body = $1::bytea AND state = 'dead' ORDER BY created_at DESC LIMIT 1;
