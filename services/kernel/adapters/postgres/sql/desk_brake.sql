-- name: desk_brakes
-- The brake of each kind of sanction, with how many fired within the last hour and how many it alone holds.
SELECT b.kind, b.stopped, b.cap_per_hour, b.changed_by, b.changed_at, b.reason,
       (SELECT count(*) FROM sanction s WHERE s.kind = b.kind AND s.fired_at > legal_now() - interval '1 hour')::integer
           AS fired_last_hour,
       (SELECT count(*) FROM sanction s JOIN gate_wait w ON w.notice_id = s.notice_id AND w.version = s.deadline_version
        WHERE s.kind = b.kind AND s.state = 'proposed' AND w.waiting_for <@ '{stopped,cap_reached}'
          AND w.waiting_for <> '{}')::integer AS held
FROM brake b ORDER BY b.kind;

-- name: desk_brake_stop
-- Stop this kind of sanction, or let it go on. The brake is locked by an earlier statement.
UPDATE brake SET stopped = $2::boolean, changed_by = $3::text, changed_at = clock_timestamp(), reason = $4::text
WHERE kind = $1::text;

-- name: desk_brake_cap
-- How many of this kind may fire in an hour; null: what the regime says. The brake is locked by an earlier statement.
UPDATE brake SET cap_per_hour = $2::integer, changed_by = $3::text, changed_at = clock_timestamp(), reason = $4::text
WHERE kind = $1::text;

-- name: desk_brake_waits_lock
-- What waits for this, locked in order before the brake is: the gate takes a wait first, and then the brake.
SELECT notice_id FROM gate_wait WHERE waiting_for && ARRAY[$1::text] ORDER BY notice_id FOR NO KEY UPDATE;

-- name: desk_brake_changes
-- What was done with the brakes, newest first; of all, or of one kind. The kind of the brake on all mail is null.
SELECT change_id, kind, change, cap_per_hour, changed_by, changed_at, reason FROM brake_change
WHERE $1::text IS NULL OR kind = $1 ORDER BY change_id DESC LIMIT $2::integer;

-- fragment: judgement_counts
-- The judgements of one case that count: those since the switch of its kind was last thrown while its batch was open.
j.batch_id = i.batch_id AND j.number = i.number AND j.judged_at > coalesce(
    (SELECT max(c.changed_at) FROM brake_batch o JOIN brake_change c ON c.kind = o.kind AND c.change = 'stopped'
     WHERE o.batch_id = i.batch_id AND (o.decided_at IS NULL OR c.changed_at < o.decided_at)), '-infinity');

-- name: desk_batch_find
-- Brake batches by id or by the end of their id.
SELECT batch_id FROM brake_batch
WHERE length($1::text) >= 4 AND right(batch_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_batch_of_kind
-- The open batch of this kind.
SELECT batch_id FROM brake_batch WHERE kind = $1::text AND state = 'open';

-- name: desk_batch_held
-- Proposed sanctions of this kind that nothing but the brake holds, as the gate last found.
SELECT s.sanction_id FROM sanction s JOIN gate_wait w ON w.notice_id = s.notice_id AND w.version = s.deadline_version
WHERE s.kind = $1::text AND s.state = 'proposed' AND w.waiting_for <@ '{stopped,cap_reached}' AND w.waiting_for <> '{}'
  AND NOT EXISTS (SELECT FROM sanction_word v WHERE v.sanction_id = s.sanction_id AND v.word = 'decline')
ORDER BY s.sanction_id;

-- name: desk_batch_keep
-- A new batch of these sanctions in this order, with the numbers of its sample.
WITH made AS (
    INSERT INTO brake_batch (batch_id, kind, total, made_by, made_reason)
    VALUES ($1::uuid, $2::text, cardinality($3::uuid[]), $5::text, $6::text) RETURNING batch_id)
INSERT INTO brake_batch_item (batch_id, number, sanction_id, notice_id, sampled)
SELECT made.batch_id, u.number, s.sanction_id, s.notice_id, u.number = ANY($4::integer[])
FROM made, unnest($3::uuid[]) WITH ORDINALITY AS u(sanction_id, number) JOIN sanction s ON s.sanction_id = u.sanction_id;

-- name: desk_batch_lock
-- A batch, locked: who decides it decides it alone.
SELECT batch_id, kind, state, total, decided_by FROM brake_batch WHERE batch_id = $1::uuid FOR UPDATE;

-- name: desk_batch_standing
-- The sample of a batch with the judgement that counts.
SELECT i.number, j.verdict FROM brake_batch_item i
LEFT JOIN LATERAL (SELECT verdict FROM brake_judgement j WHERE {{judgement_counts}}
                   ORDER BY j.judgement_id DESC LIMIT 1) AS j ON true
WHERE i.batch_id = $1::uuid AND i.sampled ORDER BY i.number;

-- name: desk_batch_judge
-- A judgement of one case of the sample.
INSERT INTO brake_judgement (batch_id, number, verdict, judged_by, note)
SELECT i.batch_id, i.number, $3::text, $4::text, $5::text FROM brake_batch_item i
WHERE i.batch_id = $1::uuid AND i.number = $2::integer AND i.sampled RETURNING judgement_id;

-- name: desk_batch_waits_lock
-- The gate's waits for the notices of a batch, locked in order: no gate is between its reading and its answer.
SELECT w.notice_id FROM gate_wait w JOIN brake_batch_item i ON i.notice_id = w.notice_id WHERE i.batch_id = $1::uuid
ORDER BY w.notice_id FOR NO KEY UPDATE OF w;

-- name: desk_batch_say
-- A person's word about every sanction of a batch that is proposed still; what was declined stays declined.
INSERT INTO sanction_word (sanction_id, word, batch_id, said_by, reason, seen_change)
SELECT s.sanction_id, $2::text, i.batch_id, $3::text, $4::text,
       (SELECT coalesce(max(c.change_id), 0) FROM brake_change c WHERE c.kind = s.kind)
FROM brake_batch_item i JOIN sanction s ON s.sanction_id = i.sanction_id
WHERE i.batch_id = $1::uuid AND s.state = 'proposed'
ON CONFLICT (sanction_id) DO UPDATE SET word = excluded.word, batch_id = excluded.batch_id, said_by = excluded.said_by,
    said_at = excluded.said_at, reason = excluded.reason, seen_change = excluded.seen_change
WHERE sanction_word.word <> 'decline';

-- name: desk_batch_end
-- The batch is decided.
UPDATE brake_batch SET state = $2::text, decided_by = $3::text, decided_at = clock_timestamp(), decided_reason = $4::text
WHERE batch_id = $1::uuid AND state = 'open';

-- name: desk_batch_wake
-- The gate looks again at every notice of a batch.
UPDATE gate_wait SET look_again_at = legal_now() FROM brake_batch_item i
WHERE i.batch_id = $1::uuid AND gate_wait.notice_id = i.notice_id;

-- name: desk_batches
-- Batches, open ones first, then the newest, with how their sample stands and what became of their sanctions.
SELECT b.batch_id, b.kind, b.state, b.total, b.made_by, b.made_at, b.made_reason, b.decided_by, b.decided_at, b.decided_reason,
       count(*) FILTER (WHERE i.sampled)::integer AS sampled,
       count(*) FILTER (WHERE i.sampled AND j.verdict IS NOT NULL)::integer AS judged,
       count(*) FILTER (WHERE j.verdict = 'wrong')::integer AS wrong,
       count(*) FILTER (WHERE s.state = 'proposed')::integer AS proposed,
       count(*) FILTER (WHERE s.state = 'dropped')::integer AS dropped,
       count(*) FILTER (WHERE s.state NOT IN ('proposed', 'dropped'))::integer AS fired
FROM (SELECT * FROM brake_batch x WHERE ($1::uuid IS NULL OR x.batch_id = $1) AND ($2::text IS NULL OR x.state = $2)
      ORDER BY (x.state = 'open') DESC, x.batch_id DESC LIMIT $3::integer) AS b
JOIN brake_batch_item i ON i.batch_id = b.batch_id
JOIN sanction s ON s.sanction_id = i.sanction_id
LEFT JOIN LATERAL (SELECT verdict FROM brake_judgement j WHERE i.sampled AND {{judgement_counts}}
                   ORDER BY j.judgement_id DESC LIMIT 1) AS j ON true
GROUP BY b.batch_id, b.kind, b.state, b.total, b.made_by, b.made_at, b.made_reason, b.decided_by, b.decided_at, b.decided_reason
ORDER BY (b.state = 'open') DESC, b.batch_id DESC;

-- name: desk_batch_items
-- The cases of a batch, sampled ones alone or all after a number, as they stand now.
SELECT i.number, i.sampled, i.sanction_id, i.notice_id, n.source_ref, n.business_id, n.state AS notice_state,
       s.state AS sanction_state, s.proposed_at, s.fired_at, coalesce(w.waiting_for, '{}') AS waiting_for,
       v.word, v.said_by AS word_by, j.verdict, j.judged_by, j.judged_at, j.note
FROM brake_batch_item i JOIN sanction s ON s.sanction_id = i.sanction_id JOIN notice n ON n.notice_id = i.notice_id
LEFT JOIN gate_wait w ON w.notice_id = i.notice_id AND s.state = 'proposed'
LEFT JOIN sanction_word v ON v.sanction_id = i.sanction_id
LEFT JOIN LATERAL (SELECT verdict, judged_by, judged_at, note FROM brake_judgement j
                   WHERE i.sampled AND {{judgement_counts}}
                   ORDER BY j.judgement_id DESC LIMIT 1) AS j ON true
WHERE i.batch_id = $1::uuid AND (i.sampled OR NOT $2::boolean) AND i.number > $3::integer
ORDER BY i.number LIMIT $4::integer;

-- name: desk_batch_judgements
-- All judgements of one case, first to last.
SELECT verdict, judged_by, judged_at, note FROM brake_judgement WHERE batch_id = $1::uuid AND number = $2::integer
ORDER BY judgement_id;
