-- Dead letters: lists, groups, one whole, and what persons do with them. `services.kernel.runtime.dead_letters` says what
-- each word means.

-- fragment: letter_tables
-- A failed item with its evidence and its notice.
failed_item f LEFT JOIN raw_evidence e ON e.evidence_id = f.evidence_id LEFT JOIN notice n ON n.notice_id = f.notice_id;

-- fragment: letter_done_before
-- Whether the item was done or refused before.
EXISTS (SELECT FROM processed p WHERE p.event_id = f.event_id AND p.subject = f.subject AND p.source = f.source
        AND p.consumer = f.worker);

-- fragment: letter_template
-- What it is a notice by: with the template's version where there is a notice.
coalesce(n.regime || '/' || n.notice_type || '@' || n.template_version, f.notice_type);

-- fragment: impact
-- What waits for it in law; `services.kernel.domain.impact.Impact` says why.
CASE WHEN f.state = 'resolved' THEN 'harmless'
     WHEN e.state NOT IN ('processed', 'refused', 'cleared') THEN 'blocks_sanction'
     WHEN f.evidence_id IS NOT NULL OR {{letter_done_before}} THEN 'harmless'
     WHEN f.worker = 'intake' THEN CASE f.state WHEN 'discarded' THEN 'harmless' ELSE 'blocks_sanction' END
     WHEN f.worker = 'webhooks' THEN CASE WHEN EXISTS (
         SELECT FROM webhook_delivery w WHERE w.delivered_at IS NULL
         AND w.outbox_id = ('x' || right(replace(f.subject::text, '-', ''), 16))::bit(64)::bigint)
         THEN 'upstream_waits' ELSE 'harmless' END
     WHEN f.worker = 'notifier' THEN CASE WHEN n.state NOT IN ('accepted', 'rendered') THEN 'harmless' ELSE 'deadline_at_risk' END
     WHEN f.worker = 'sanctions' THEN CASE WHEN n.state <> 'lapsed' THEN 'harmless' ELSE 'deadline_at_risk' END
     WHEN f.worker IN ('bounces', 'responses') THEN 'harmless'
     ELSE 'deadline_at_risk' END;

-- fragment: chosen
-- Which are meant: $1 to $9 are the fields of `Chosen`.
($1::uuid[] IS NULL OR f.failed_id = ANY ($1)) AND ($2::text[] IS NULL OR f.state = ANY ($2))
AND ($3::text IS NULL OR f.worker = $3) AND ($4::text IS NULL OR f.type = $4) AND ($5::text IS NULL OR f.cause = $5)
AND ($6::text IS NULL OR $6 IN (f.notice_type, n.regime || '/' || n.notice_type, {{letter_template}}))
AND ($7::text IS NULL OR {{impact}} = $7)
AND ($8::text IS NULL OR position(lower($8) IN lower(concat_ws(
         E'\n', f.failed_id, f.event_id, f.notice_id, f.evidence_id, n.source_ref, n.business_id, f.reason))) > 0
     OR position(convert_to($8, 'UTF8') IN f.body) > 0)
AND ($9::timestamptz IS NULL OR f.created_at >= $9);

-- fragment: action_id
-- The id of what was done to one item by an act ($10): the same each time, and of no other.
encode(substring(sha256(convert_to($10::uuid::text || m.failed_id::text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid;

-- name: letters
-- Dead letters, oldest first, after a place in the list; never their message.
SELECT f.failed_id, f.worker, f.state, f.source, f.event_id, f.type, f.reason, f.cause, {{impact}} AS impact,
       {{letter_template}} AS template, f.notice_id, n.state AS notice_state, n.source_ref, n.business_id, f.evidence_id,
       e.state AS evidence_state, {{letter_done_before}} AS done_before, jsonb_array_length(f.history) AS attempts, f.replays,
       f.next_at, f.created_at, f.changed_at, clock_timestamp() - f.created_at AS age, octet_length(f.body) AS bytes,
       (SELECT count(*) FROM failed_item_action a WHERE a.failed_id = f.failed_id)::integer AS actions,
       (SELECT count(*) FROM failed_item_action a WHERE a.failed_id = f.failed_id AND a.action = 'note')::integer AS notes,
       (SELECT d.edit_id FROM failed_item_edit d WHERE d.failed_id = f.failed_id AND d.state = 'proposed') AS edit_id,
       (SELECT i.run_id FROM replay_item i WHERE i.failed_id = f.failed_id AND i.replays AND i.ended_at IS NULL) AS run_id
FROM (SELECT f.failed_id AS chosen_id FROM {{letter_tables}}  -- ids alone are sorted, not messages
      WHERE {{chosen}} AND ($10::timestamptz IS NULL OR (f.created_at, f.failed_id) > ($10, $11::uuid))
      ORDER BY f.created_at, f.failed_id LIMIT $12::integer) AS page
JOIN failed_item f ON f.failed_id = page.chosen_id LEFT JOIN raw_evidence e ON e.evidence_id = f.evidence_id
LEFT JOIN notice n ON n.notice_id = f.notice_id
ORDER BY f.created_at, f.failed_id;

-- name: letter_count
-- How many dead letters are chosen.
SELECT count(*)::integer AS number FROM {{letter_tables}} WHERE {{chosen}};

-- name: letter_groups
-- Dead letters by what they have in common: the gravest first, then the largest. A property in which they differ is null.
SELECT sum(g.number)::integer AS number, min(g.oldest) AS oldest,
       min(g.example)::uuid AS example,
       CASE WHEN min(g.worker) = max(g.worker) THEN min(g.worker) END AS worker,
       CASE WHEN min(g.type) = max(g.type) THEN min(g.type) END AS type,
       CASE WHEN min(g.template) = max(g.template) AND count(g.template) = count(*) THEN min(g.template) END AS template,
       CASE WHEN min(g.cause) = max(g.cause) THEN min(g.cause) END AS cause,
       CASE WHEN min(g.impact) = max(g.impact) THEN min(g.impact) END AS impact,
       (ARRAY['blocks_sanction', 'deadline_at_risk', 'upstream_waits', 'harmless'])[min(g.gravity)] AS gravest
FROM (SELECT c.worker, c.type, c.cause, c.template, c.impact, count(*) AS number, min(c.created_at) AS oldest,
             min(c.failed_id::text COLLATE "C") AS example,
             array_position(ARRAY['blocks_sanction', 'deadline_at_risk', 'upstream_waits', 'harmless'], c.impact) AS gravity
      FROM (SELECT f.failed_id, f.created_at, f.worker, f.type, f.cause, {{letter_template}} AS template, {{impact}} AS impact
            FROM {{letter_tables}} WHERE {{chosen}}) AS c
      GROUP BY c.worker, c.type, c.cause, c.template, c.impact) AS g
GROUP BY CASE WHEN $10::text IN ('cause', 'cause_and_impact') THEN g.cause END,
         CASE WHEN $10 IN ('impact', 'cause_and_impact') THEN g.impact END,
         CASE WHEN $10 IN ('worker', 'cause_and_impact') THEN g.worker END,
         CASE WHEN $10 IN ('type', 'cause_and_impact') THEN g.type END,
         CASE WHEN $10 IN ('template', 'cause_and_impact') THEN g.template END
ORDER BY min(g.gravity), number DESC, oldest, example LIMIT $11::integer;

-- name: letter_message
-- The message of one dead letter, and every attempt.
SELECT worker, routing_key, content_type, headers::text AS headers, body, history::text AS history
FROM failed_item WHERE failed_id = $1::uuid;

-- name: letter_actions
-- What persons did with one dead letter, oldest first.
SELECT action_id, at, actor, action, reason, body_before, run_id FROM failed_item_action
WHERE failed_id = $1::uuid ORDER BY at, action_id;

-- name: letter_beside
-- The notice that a dead letter is about: by itself, or by its evidence.
SELECT n.notice_id, n.source_ref, n.regime, n.notice_type, n.template_version, n.business_id, n.state, n.deadline_at, n.respond_by
FROM failed_item f LEFT JOIN raw_evidence e ON e.evidence_id = f.evidence_id
JOIN notice n ON n.notice_id = coalesce(f.notice_id, e.notice_id) WHERE f.failed_id = $1::uuid;

-- name: letter_timeline
-- The facts of a notice's evidence, oldest first; not what they say.
SELECT at, kind, actor FROM notice_event WHERE notice_id = $1::uuid ORDER BY seq;

-- name: letter_holds
-- The kinds of the open holds on a notice.
SELECT kind FROM hold WHERE notice_id = $1::uuid AND lifted_at IS NULL ORDER BY placed_at;

-- name: letter_lock
-- One dead letter, locked.
SELECT failed_id FROM failed_item WHERE failed_id = $1::uuid FOR UPDATE;

-- name: letters_discard
-- Give up what is dead or waits for a retry; it is kept, and its evidence goes on holding. What the door could not store
-- as evidence is stored now, under the item's own id, until a person clears it: giving up its work is no word about it.
WITH met AS (
    UPDATE failed_item SET state = 'discarded', next_at = NULL, changed_at = clock_timestamp(),
        evidence_id = CASE WHEN worker = 'intake' AND type <> 'mark.sent.v1' THEN coalesce(evidence_id, failed_id)
                           ELSE evidence_id END
    WHERE failed_id IN (SELECT f.failed_id FROM {{letter_tables}} WHERE {{chosen}}) AND state IN ('dead', 'retry')
    RETURNING failed_id, evidence_id, source, content_type, headers, body, created_at),
stored AS (
    INSERT INTO raw_evidence (evidence_id, door, source, type, received_at, content_type, headers, body, state, outcome, looked_at)
    SELECT m.evidence_id, 'amqp', nullif(m.source, 'unknown'), 'undecodable', legal_now() - (clock_timestamp() - m.created_at),
           m.content_type, m.headers, m.body, 'dead', 'its work was given up', clock_timestamp()
    FROM met m WHERE m.evidence_id = m.failed_id ON CONFLICT (evidence_id) DO NOTHING),
held AS (
    UPDATE raw_evidence SET state = 'dead', outcome = 'its work was given up', looked_at = clock_timestamp()
    FROM met WHERE raw_evidence.evidence_id = met.evidence_id AND raw_evidence.state = 'retrying')
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT {{action_id}}, m.failed_id, clock_timestamp(), $11::text, 'discard', $12::text FROM met m;

-- name: letters_restore
-- What was discarded is dead again, unless its message was erased since.
WITH met AS (
    UPDATE failed_item SET state = 'dead', changed_at = clock_timestamp()
    WHERE failed_id IN (SELECT f.failed_id FROM {{letter_tables}} WHERE {{chosen}}) AND state = 'discarded'
      AND erased_at IS NULL
    RETURNING failed_id)
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT {{action_id}}, m.failed_id, clock_timestamp(), $11::text, 'restore', $12::text FROM met m;

-- name: letters_hurry
-- Retries that wait are due at once.
WITH met AS (
    UPDATE failed_item SET next_at = clock_timestamp(), changed_at = clock_timestamp()
    WHERE failed_id IN (SELECT f.failed_id FROM {{letter_tables}} WHERE {{chosen}}) AND state = 'retry'
    RETURNING failed_id)
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT {{action_id}}, m.failed_id, clock_timestamp(), $11::text, 'hurry', $12::text FROM met m;

-- name: letters_stop
-- Retries that wait are tried no more: dead, as is the evidence that they carry.
WITH met AS (
    UPDATE failed_item SET state = 'dead', next_at = NULL, changed_at = clock_timestamp()
    WHERE failed_id IN (SELECT f.failed_id FROM {{letter_tables}} WHERE {{chosen}}) AND state = 'retry'
    RETURNING failed_id, evidence_id),
held AS (
    UPDATE raw_evidence SET state = 'dead', outcome = 'its retries were stopped', looked_at = clock_timestamp()
    FROM met WHERE raw_evidence.evidence_id = met.evidence_id AND raw_evidence.state = 'retrying')
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT {{action_id}}, m.failed_id, clock_timestamp(), $11::text, 'stop', $12::text FROM met m;

-- name: letter_act
-- Keep what a person did with one dead letter, if it is there.
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT $1::uuid, f.failed_id, clock_timestamp(), $3::text, $4::text, $5::text FROM failed_item f WHERE f.failed_id = $2::uuid
RETURNING action_id;

-- name: desk_dead_find
-- Failed items by id or by the end of their id.
SELECT failed_id FROM failed_item
WHERE length($1::text) >= 4 AND right(failed_id::text, length($1::text)) = lower($1::text) LIMIT 3;
