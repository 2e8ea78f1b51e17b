-- Runs: rehearsals and replays of many dead letters. `relay` drives them, and is the only one that hands out.

-- name: runs
-- Runs, newest first, with what is out.
SELECT r.run_id, r.kind, r.state, r.begun_by, r.begun_at, r.reason, r.choice, r.steps, r.per_second, r.total, r.batch, r.step,
       r.why, r.changed_by, r.changed_at, r.ended_at,
       (SELECT count(*) FROM replay_item i WHERE i.run_id = r.run_id AND i.batch IS NOT NULL AND i.ended_at IS NULL)::integer AS out
FROM replay_run r
WHERE ($1::uuid IS NULL OR r.run_id = $1) AND (NOT $2::boolean OR r.state IN ('running', 'stopped'))
ORDER BY r.begun_at DESC, r.run_id DESC LIMIT $3::integer;

-- name: run_outcomes
-- How the items of runs ended so far.
SELECT run_id, outcome, count(*)::integer AS number FROM replay_item
WHERE run_id = ANY ($1::uuid[]) AND outcome IS NOT NULL GROUP BY run_id, outcome;

-- name: run_items
-- The items of a run in their order, after a position.
SELECT i.run_id, i.failed_id, i.position, i.batch, i.handed_at, i.outcome, i.why, i.effects, i.ended_at, f.worker, f.type,
       n.source_ref, f.reason
FROM replay_item i JOIN failed_item f ON f.failed_id = i.failed_id LEFT JOIN notice n ON n.notice_id = f.notice_id
WHERE i.run_id = $1::uuid AND i.position > $2::integer AND ($3::text IS NULL OR i.outcome = $3)
ORDER BY i.position LIMIT $4::integer;

-- name: letter_runs
-- The runs that one dead letter was in, oldest first.
SELECT i.run_id, i.failed_id, i.position, i.batch, i.handed_at, i.outcome, i.why, i.effects, i.ended_at, f.worker, f.type,
       n.source_ref, f.reason
FROM replay_item i JOIN failed_item f ON f.failed_id = i.failed_id LEFT JOIN notice n ON n.notice_id = f.notice_id
JOIN replay_run r ON r.run_id = i.run_id
WHERE i.failed_id = $1::uuid ORDER BY r.begun_at, r.run_id;

-- name: run_begin
-- A run, as yet without items.
INSERT INTO replay_run (run_id, kind, state, begun_by, begun_at, reason, choice, steps, per_second, total, paced_at, changed_by,
                        changed_at)
VALUES ($1::uuid, $2::text, 'running', $3::text, clock_timestamp(), $4::text, $5::text, $6::integer[], $7::float8, 1,
        clock_timestamp() - make_interval(secs => coalesce(1 / $7::float8, 0)), $3::text, clock_timestamp());

-- name: run_fill
-- The items of a run ($10), oldest first; of a replay ($11) only what is in no other open one: asked once, not for each
-- item, as this very statement makes the table larger that it would look through.
INSERT INTO replay_item (run_id, failed_id, position, replays)
SELECT $10::uuid, f.failed_id, row_number() OVER (ORDER BY f.created_at, f.failed_id), $11::boolean
FROM {{letter_tables}}
WHERE {{chosen}} AND NOT ($11 AND f.failed_id IN (SELECT o.failed_id FROM replay_item o WHERE o.replays AND o.ended_at IS NULL))
ON CONFLICT (failed_id) WHERE replays AND ended_at IS NULL DO NOTHING;

-- name: run_count
-- How many items a run has.
UPDATE replay_run SET total = (SELECT count(*) FROM replay_item i WHERE i.run_id = $1) WHERE run_id = $1::uuid RETURNING total;

-- name: run_lock
-- A run, locked.
SELECT run_id FROM replay_run WHERE run_id = $1::uuid FOR UPDATE;

-- name: run_change
-- Stop, resume or cancel a run; a resumed one begins with its first step, and its limit anew.
UPDATE replay_run SET state = $2::text, changed_by = $3::text, changed_at = clock_timestamp(), why = $4::text, step = 0,
    left_over = 0, paced_at = clock_timestamp(), ended_at = CASE WHEN $2::text = 'cancelled' THEN clock_timestamp() END
WHERE run_id = $1::uuid;

-- name: run_give_up
-- What a cancelled run has not handed out is left as it is; of a rehearsal nobody waits for what is out, either.
UPDATE replay_item SET outcome = 'cancelled', ended_at = clock_timestamp()
WHERE run_id = $1::uuid AND (batch IS NULL OR NOT replays) AND ended_at IS NULL;

-- name: runs_open
-- Runs that go on, or whose items are still out, for one `relay` alone.
SELECT r.run_id, r.kind, r.state, r.steps, r.per_second, r.batch, r.step, r.left_over, r.paced_at, clock_timestamp() AS now
FROM replay_run r
WHERE r.state = 'running' OR r.run_id IN (SELECT i.run_id FROM replay_item i WHERE i.batch IS NOT NULL AND i.ended_at IS NULL)
ORDER BY r.begun_at FOR NO KEY UPDATE SKIP LOCKED;

-- name: run_settle
-- Items of a replay that have ended: read off the failed items. One that waits for a retry was run by a worker of the
-- version before; a replay is one attempt, so it is dead.
WITH ended AS (
    SELECT i.failed_id FROM replay_item i JOIN failed_item f ON f.failed_id = i.failed_id
    WHERE i.run_id = $1::uuid AND i.batch IS NOT NULL AND i.ended_at IS NULL AND f.state <> 'replaying'),
stopped AS (
    UPDATE failed_item SET state = 'dead', next_at = NULL, changed_at = clock_timestamp()
    FROM ended WHERE failed_item.failed_id = ended.failed_id AND failed_item.state = 'retry' RETURNING failed_item.evidence_id),
held AS (
    UPDATE raw_evidence SET state = 'dead', looked_at = clock_timestamp()
    FROM stopped WHERE raw_evidence.evidence_id = stopped.evidence_id AND raw_evidence.state = 'retrying')
UPDATE replay_item SET ended_at = clock_timestamp(),
    outcome = CASE f.state WHEN 'discarded' THEN 'left' WHEN 'resolved' THEN coalesce(
        (SELECT p.outcome FROM processed p WHERE p.event_id = f.event_id AND p.subject = f.subject AND p.source = f.source
         AND p.consumer = f.worker), 'done') ELSE 'failed' END,
    why = CASE WHEN f.state IN ('dead', 'retry') THEN left(f.reason, 1000) WHEN f.state = 'discarded' THEN 'it is discarded' ELSE '' END
FROM ended, failed_item f
WHERE replay_item.run_id = $1 AND replay_item.failed_id = ended.failed_id AND f.failed_id = ended.failed_id
RETURNING replay_item.batch, replay_item.outcome, replay_item.why;

-- name: run_standing
-- What a run has still to hand out, at least one or none, and how many are out.
SELECT EXISTS (SELECT FROM replay_item i WHERE i.run_id = $1::uuid AND i.batch IS NULL AND i.ended_at IS NULL) AS more,
       (SELECT count(*) FROM replay_item i WHERE i.run_id = $1 AND i.batch IS NOT NULL AND i.ended_at IS NULL)::integer AS out;

-- name: run_hand_out
-- The next items of a replay's batch, with who replays and why; what is not dead any more is left as it is.
WITH next AS (
    SELECT i.failed_id FROM replay_item i WHERE i.run_id = $1::uuid AND i.batch IS NULL AND i.ended_at IS NULL
    ORDER BY i.position LIMIT $3::integer),
taken AS (
    UPDATE failed_item SET state = 'replaying', begun = 0, replays = replays + 1, changed_at = clock_timestamp()
    FROM next WHERE failed_item.failed_id = next.failed_id AND failed_item.state = 'dead'
    RETURNING failed_item.failed_id, routing_key, attempts, content_type, headers, body, replays),
handed AS (
    UPDATE replay_item SET batch = $2::integer, handed_at = clock_timestamp(), times = 1
    FROM taken WHERE replay_item.run_id = $1 AND replay_item.failed_id = taken.failed_id),
left_alone AS (
    UPDATE replay_item SET batch = $2, handed_at = clock_timestamp(), outcome = 'left', why = 'it is ' || f.state,
        ended_at = clock_timestamp()
    FROM next JOIN failed_item f ON f.failed_id = next.failed_id
    WHERE replay_item.run_id = $1 AND replay_item.failed_id = next.failed_id AND f.state <> 'dead' RETURNING 1),
kept AS (
    INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason, run_id)
    SELECT encode(substring(sha256(convert_to($1::text || t.failed_id::text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid, t.failed_id,
           clock_timestamp(), r.begun_by, 'replay', r.reason, r.run_id
    FROM taken t, replay_run r WHERE r.run_id = $1)
SELECT failed_id, routing_key, attempts, content_type, headers::text AS headers, body, replays FROM taken;

-- name: run_rehearse
-- The next items of a rehearsal; of what is over already nothing can be said but that.
WITH next AS (
    SELECT i.failed_id, f.state IN ('dead', 'retry', 'replaying') AS is_open, f.state
    FROM replay_item i JOIN failed_item f ON f.failed_id = i.failed_id
    WHERE i.run_id = $1::uuid AND i.batch IS NULL AND i.ended_at IS NULL ORDER BY i.position LIMIT $3::integer),
handed AS (
    UPDATE replay_item SET batch = $2::integer, handed_at = clock_timestamp(), times = 1,
        outcome = CASE WHEN NOT next.is_open THEN 'already_done' END,
        why = CASE WHEN next.is_open THEN '' ELSE 'it is ' || next.state || ' already' END,
        ended_at = CASE WHEN NOT next.is_open THEN clock_timestamp() END
    FROM next WHERE replay_item.run_id = $1 AND replay_item.failed_id = next.failed_id)
SELECT f.failed_id, f.routing_key, f.attempts, f.content_type, f.headers::text AS headers, f.body, f.replays
FROM failed_item f JOIN next ON next.failed_id = f.failed_id WHERE next.is_open;

-- name: run_again
-- Items that were handed out and of which nothing came: each time after twice the grace time, an hour at most.
WITH lost AS (
    UPDATE replay_item SET handed_at = clock_timestamp(), times = times + 1
    WHERE run_id = $1::uuid AND batch IS NOT NULL AND ended_at IS NULL AND handed_at < clock_timestamp()
        - make_interval(secs => least(3600, $2::float8 * 2 ^ least(times - 1, 12)))
    RETURNING failed_id)
SELECT f.failed_id, f.routing_key, f.attempts, f.content_type, f.headers::text AS headers, f.body, f.replays
FROM failed_item f JOIN lost ON lost.failed_id = f.failed_id;

-- name: run_save
-- Where a run stands now. What a person said meanwhile cannot be lost: the run is locked.
UPDATE replay_run SET state = $2::text, batch = $3::integer, step = $4::integer, left_over = $5::integer, paced_at = $6::timestamptz,
    why = CASE WHEN $2::text = 'running' THEN why ELSE $7::text END,
    changed_by = CASE WHEN $2::text = 'running' THEN changed_by ELSE 'relay' END,
    changed_at = CASE WHEN $2::text = 'running' THEN changed_at ELSE clock_timestamp() END,
    ended_at = CASE WHEN $2::text = 'finished' THEN clock_timestamp() END
WHERE run_id = $1::uuid;

-- name: run_has
-- Whether a run ever had this item.
SELECT EXISTS (SELECT FROM replay_item i WHERE i.failed_id = $1::uuid) AS has;

-- name: come_again
-- Whether messages that name failed items of this worker ($1) are theirs: the same event and the same bytes, or what an
-- approved edit put in their place, or what one replaced; and how the items stand in the runs that are named.
SELECT u.number::integer AS number,
       sha256(f.body) = u.digest AND ((f.source = u.source AND f.event_id = u.event_id)
           OR EXISTS (SELECT FROM failed_item_action a WHERE a.failed_id = f.failed_id AND a.action = 'mend')) AS current,
       EXISTS (SELECT FROM failed_item_action a WHERE a.failed_id = f.failed_id AND a.action = 'mend'
               AND sha256(a.body_before) = u.digest) AS superseded,
       i.replays, i.begun, i.ended_at IS NOT NULL AS ended
FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::text[], $6::text[])
     WITH ORDINALITY AS u(failed_id, run_id, digest, source, event_id, number)
JOIN failed_item f ON f.failed_id = u.failed_id AND f.worker = $1::text
LEFT JOIN replay_item i ON i.run_id = u.run_id AND i.failed_id = u.failed_id;

-- name: rehearsal_again
-- A worker begins anew with a rehearsal after another had died; committed before the work.
UPDATE replay_item SET begun = begun + 1 WHERE run_id = $1::uuid AND failed_id = $2::uuid AND NOT replays;

-- name: rehearsals_end
-- What a worker says of items that it rehearsed; the effects of each are lines.
UPDATE replay_item SET outcome = u.outcome, why = u.why, effects = coalesce(string_to_array(nullif(u.effects, ''), E'\n'), '{}'),
    ended_at = clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS u(run_id, failed_id, outcome, why, effects)
WHERE replay_item.run_id = u.run_id AND replay_item.failed_id = u.failed_id AND NOT replay_item.replays
  AND replay_item.ended_at IS NULL;

-- name: standings
-- The states of these notices and pieces of evidence.
SELECT notice_id AS id, state FROM notice WHERE notice_id = ANY ($1::uuid[])
UNION ALL SELECT evidence_id, state FROM raw_evidence WHERE evidence_id = ANY ($1);
