-- name: retention_enlist
-- Notices old enough that their content may be due, and that nobody looked at yet; regimes that never erase are left out.
INSERT INTO retention (notice_id, look_again_at)
SELECT n.notice_id, legal_now() FROM notice n
WHERE n.accepted_at < legal_now() - make_interval(days => $2::integer) AND n.regime = ANY ($3::text[])
  AND NOT EXISTS (SELECT FROM retention r WHERE r.notice_id = n.notice_id)
ORDER BY n.notice_id LIMIT $1::integer
ON CONFLICT (notice_id) DO NOTHING
RETURNING notice_id;

-- name: retention_turn
-- Whoever erases, beside others who erase; nobody places or lifts a legal hold meanwhile.
SELECT pg_advisory_xact_lock_shared(hashtextextended('legal hold', 0));

-- name: legal_hold_turn
-- Whoever places or lifts a legal hold, alone: what is being erased is finished first, and what follows sees the hold.
SELECT pg_advisory_xact_lock(hashtextextended('legal hold', 0));

-- name: retention_claim
-- Notices whose content is to be looked at, the longest due first, skipping those that others look at.
SELECT notice_id FROM retention WHERE look_again_at <= legal_now()
ORDER BY look_again_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED;

-- name: retention_facts
-- Every fact that decides whether content may be erased. Asked only after the notices are locked by an earlier statement.
-- What keeps the gate shut (`gate_facts`) keeps content, too: it may be about this notice, or about its matter's sanction.
SELECT n.notice_id, legal_now() AS now,
       (SELECT max(coalesce(m.withdrawn_at, m.unserved_at, m.sanctioned_at, m.closed_at, m.satisfied_at, m.served_at))
        FROM notice m WHERE m.regime = n.regime AND m.matter = n.matter) AS matter_ended_at,
       (SELECT coalesce(array_agg(o.notice_id::text), '{}') FROM (
            SELECT m.notice_id FROM notice m WHERE m.regime = n.regime AND m.matter = n.matter AND m.notice_id <> n.notice_id
              AND m.state NOT IN ('satisfied', 'closed', 'sanctioned', 'unserved', 'withdrawn')
              AND NOT (m.state = 'served' AND m.deadline_at IS NULL) ORDER BY m.notice_id LIMIT 5) AS o) AS matter_running,
       (SELECT max(coalesce(v.decided_at, s.fired_at)) FROM sanction s LEFT JOIN reversal v ON v.sanction_id = s.sanction_id
        WHERE s.regime = n.regime AND s.matter = n.matter AND s.state IN ('fired', 'reversal_required', 'upheld'))
           AS sanction_stands_since,
       (SELECT max(e.received_at) FROM raw_evidence e WHERE e.notice_id = n.notice_id AND e.erased_at IS NULL)
           AS last_evidence_at,
       (SELECT coalesce(array_agg(w.code || E'\n' || w.text), '{}') FROM (
            (SELECT 'hold_open' AS code, 'a hold is open: ' || h.kind AS text FROM hold h
             WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL ORDER BY h.placed_at LIMIT 5)
            UNION ALL
            (SELECT 'evidence_waiting', e.evidence_id::text || ' (' || e.door || ') is ' || e.state FROM raw_evidence e
             WHERE e.state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead')
               AND (e.notice_id = n.notice_id OR (e.source = n.source AND e.source_ref = n.source_ref)
                    OR e.notice_id IN (SELECT m.notice_id FROM notice m WHERE m.regime = n.regime AND m.matter = n.matter)
                    OR (e.source, e.source_ref) IN (SELECT m.source, m.source_ref FROM notice m
                                                    WHERE m.regime = n.regime AND m.matter = n.matter)
                    OR e.attempt_id IN (SELECT a.attempt_id FROM attempt a WHERE a.notice_id = n.notice_id)
                    OR lower(n.address) = ANY (e.addresses)
                    OR CASE WHEN e.type = 'undecodable' THEN e.source IS NULL OR e.source = n.source
                            ELSE e.notice_id IS NULL AND e.source_ref IS NULL AND e.attempt_id IS NULL
                                 AND e.addresses = '{}' END)
             ORDER BY e.received_at LIMIT 5)
            UNION ALL
            (SELECT 'failed_waiting', 'an item of ' || f.worker || ' is ' || f.state FROM failed_item f
             WHERE f.state IN ('retry', 'dead', 'replaying')
               AND (f.notice_id = n.notice_id OR f.subject = n.notice_id OR (f.source = n.source AND f.event_id = a.event_id)
                    OR f.evidence_id IN (SELECT e.evidence_id FROM raw_evidence e WHERE e.notice_id = n.notice_id)
                    OR (f.worker = 'intake' AND f.evidence_id IS NULL
                        AND (f.source IN (n.source, 'unknown') OR position(convert_to(n.notice_id::text, 'UTF8') IN f.body) > 0)))
             ORDER BY f.created_at LIMIT 5)
            UNION ALL
            (SELECT 'unsent', 'upstream is not told yet: ' || o.type FROM outbox o
             WHERE o.notice_id = n.notice_id AND o.sent_at IS NULL ORDER BY o.outbox_id LIMIT 5)
            UNION ALL
            (SELECT 'undelivered', 'not delivered by webhook yet: event ' || d.outbox_id FROM webhook_delivery d
             WHERE d.notice_id = n.notice_id AND d.delivered_at IS NULL ORDER BY d.outbox_id LIMIT 5)
            UNION ALL
            SELECT 'gate_waiting', 'the gate has still to decide' FROM gate_wait g WHERE g.notice_id = n.notice_id
            UNION ALL
            (SELECT 'sanction_proposed', 'a sanction is proposed: ' || s.kind FROM sanction s
             WHERE s.notice_id = n.notice_id AND s.state = 'proposed' ORDER BY s.proposed_at LIMIT 5)
            UNION ALL
            (SELECT 'reversal_undecided', 'a reversal is undecided: ' || s.kind FROM sanction s
             WHERE s.regime = n.regime AND s.matter = n.matter AND s.state = 'reversal_required' LIMIT 5)) AS w) AS waiting,
       (SELECT coalesce(array_agg(l.shown ORDER BY l.shown), '{}') FROM (
            SELECT l.legal_hold_id || ' on ' || CASE WHEN l.notice_id IS NOT NULL THEN 'the notice'
                       WHEN l.matter IS NOT NULL THEN 'its matter' ELSE 'its business' END || ' by ' || l.placed_by AS shown
            FROM legal_hold l WHERE l.lifted_at IS NULL
              AND (l.notice_id = n.notice_id OR (l.regime = n.regime AND l.matter = n.matter)
                   OR l.business_id = n.business_id)) AS l) AS legal_holds,
       r.asked_by, r.asked_reason
FROM notice n LEFT JOIN retention r ON r.notice_id = n.notice_id
LEFT JOIN notice_event b ON b.notice_id = n.notice_id AND b.seq = 1
LEFT JOIN LATERAL (SELECT b.data ->> 'event_id' AS event_id) AS a ON true
WHERE n.notice_id = ANY ($1::uuid[]);

-- name: retention_kept
-- What came of looking at notices; what a person asked for is answered.
INSERT INTO retention (notice_id, look_again_at, looked_at, kept_until, kept_for, erased_at)
SELECT u.notice_id, u.look_again_at, clock_timestamp(), u.kept_until,
       coalesce(string_to_array(nullif(u.kept_for, ''), E'\n'), '{}'), u.erased_at
FROM unnest($1::uuid[], $2::timestamptz[], $3::date[], $4::text[], $5::timestamptz[])
     AS u(notice_id, look_again_at, kept_until, kept_for, erased_at)
ON CONFLICT (notice_id) DO UPDATE SET look_again_at = excluded.look_again_at, looked_at = excluded.looked_at,
    kept_until = excluded.kept_until, kept_for = excluded.kept_for,
    erased_at = coalesce(excluded.erased_at, retention.erased_at), asked_by = NULL, asked_reason = NULL, asked_at = NULL;

-- name: erase_words
-- The words of notices, and the requests behind them.
UPDATE notice_content SET request = '{}', subject = '', body_text = '', body_html = '', erased_at = $2::timestamptz
WHERE notice_id = ANY ($1::uuid[]) AND erased_at IS NULL
RETURNING notice_id, notice_id::text AS of, content_hash AS sha256;

-- name: erase_files
-- The files of answers, and what their senders called them.
WITH erased AS (
    UPDATE upload SET shown_name = '', erased_at = $2::timestamptz FROM raw_evidence e
    WHERE upload.notice_id = ANY ($1::uuid[]) AND upload.erased_at IS NULL AND e.evidence_id = upload.evidence_id
      AND e.state IN ('processed', 'refused', 'cleared')
    RETURNING upload.notice_id, upload.upload_id, upload.digest),
emptied AS (DELETE FROM upload_part USING erased WHERE upload_part.upload_id = erased.upload_id)
SELECT notice_id, upload_id::text AS of, coalesce(digest, '') AS sha256 FROM erased ORDER BY upload_id;

-- name: evidence_to_erase
-- Evidence of notices that is settled, of what upstream said with its body: its data are to be known again.
SELECT evidence_id, notice_id, content_type, headers::text AS headers,
       CASE WHEN door IN ('amqp', 'http') THEN body ELSE '' END AS body FROM raw_evidence
WHERE notice_id = ANY ($1::uuid[]) AND erased_at IS NULL AND state IN ('processed', 'refused', 'cleared');

-- name: erase_evidence
-- The bodies of settled evidence, and the addresses that were found in them.
UPDATE raw_evidence SET body = '', headers = '{}', addresses = '{}', body_sha256 = sha256(body), data_hash = u.data_hash,
    erased_at = $3::timestamptz
FROM unnest($1::uuid[], $2::bytea[]) AS u(evidence_id, data_hash)
WHERE raw_evidence.evidence_id = u.evidence_id AND raw_evidence.erased_at IS NULL
  AND raw_evidence.state IN ('processed', 'refused', 'cleared')
RETURNING raw_evidence.notice_id, raw_evidence.evidence_id::text AS of, raw_evidence.body_sha256 AS sha256;

-- name: erase_requests
-- The requests for these notices as they came over HTTP, however often, and the facts that did; the hash of their data stays.
UPDATE intake_event SET body = '', erased_at = $2::timestamptz FROM (
    SELECT n.notice_id, e.source, e.event_id FROM notice n
    JOIN intake_event e ON e.source = n.source AND e.data_hash = n.data_hash WHERE n.notice_id = ANY ($1::uuid[])
    UNION
    SELECT r.notice_id, r.source, r.event_id FROM raw_evidence r
    WHERE r.notice_id = ANY ($1::uuid[]) AND r.door = 'http' AND r.state IN ('processed', 'refused', 'cleared')) AS u
WHERE intake_event.source = u.source AND intake_event.event_id = u.event_id AND intake_event.erased_at IS NULL
RETURNING u.notice_id, intake_event.event_id AS of, intake_event.data_hash AS sha256;

-- name: erase_told
-- What upstream was told of these notices: the envelope stays, with its number, and the data go.
UPDATE outbox SET erased_at = $2::timestamptz, body_sha256 = sha256(body),
    body = convert_to(((convert_from(body, 'UTF8')::jsonb - 'data') || '{"data": {}}')::text, 'UTF8')
WHERE notice_id = ANY ($1::uuid[]) AND source IS NOT NULL AND sent_at IS NOT NULL AND erased_at IS NULL
RETURNING notice_id, outbox_id::text AS of, body_sha256 AS sha256;

-- name: erase_failed
-- Messages about these notices that failed once and are settled; when they failed, and of what kind the error was, stays.
UPDATE failed_item SET erased_at = $2::timestamptz, body_sha256 = sha256(body), body = '', headers = '{}', reason = '',
    history = (SELECT coalesce(jsonb_agg(jsonb_build_object('at', h -> 'at', 'error', h -> 'error', 'stack', '')), '[]')
               FROM jsonb_array_elements(failed_item.history) AS h)
FROM (
    SELECT f.notice_id, f.failed_id FROM failed_item f WHERE f.notice_id = ANY ($1::uuid[])
    UNION
    SELECT n.notice_id, f.failed_id FROM notice n JOIN notice_event b ON b.notice_id = n.notice_id AND b.seq = 1
    JOIN failed_item f ON f.event_id = b.data ->> 'event_id' AND f.source = n.source WHERE n.notice_id = ANY ($1::uuid[])
    UNION
    SELECT r.notice_id, f.failed_id FROM raw_evidence r JOIN failed_item f ON f.evidence_id = r.evidence_id
    WHERE r.notice_id = ANY ($1::uuid[]) AND f.state IN ('resolved', 'discarded') AND f.erased_at IS NULL) AS n
WHERE failed_item.failed_id = n.failed_id AND failed_item.state IN ('resolved', 'discarded') AND failed_item.erased_at IS NULL
RETURNING n.notice_id, failed_item.failed_id::text AS of, failed_item.body_sha256 AS sha256;

-- name: erase_edits
-- What messages that failed were before and after persons mended them, and what was said of them in rehearsals and replays.
WITH before AS (
    UPDATE failed_item_action SET body_before = NULL WHERE failed_id = ANY ($1::uuid[]) AND body_before IS NOT NULL),
said AS (
    UPDATE replay_item SET why = '', effects = '{}' WHERE failed_id = ANY ($1::uuid[]) AND ended_at IS NOT NULL)
UPDATE failed_item_edit SET body_before = '', body = '', headers = '{}', erased_at = $2::timestamptz
WHERE failed_id = ANY ($1::uuid[]) AND state <> 'proposed' AND erased_at IS NULL;

-- name: nameless_evidence
-- Settled evidence that names no notice that there is, older than so many days; not while a legal hold is on a notice of its address.
WITH held AS MATERIALIZED ( -- looked up, not compared one by one: a business may have thousands of notices
    SELECT lower(n.address) AS address FROM legal_hold l JOIN notice n ON n.notice_id = l.notice_id
        OR (n.regime = l.regime AND n.matter = l.matter) OR n.business_id = l.business_id
    WHERE l.lifted_at IS NULL)
SELECT evidence_id, notice_id, content_type, headers::text AS headers,
       CASE WHEN door IN ('amqp', 'http') THEN body ELSE '' END AS body FROM raw_evidence r
WHERE r.erased_at IS NULL AND r.state IN ('processed', 'refused', 'cleared')
  AND NOT EXISTS (SELECT FROM notice n WHERE n.notice_id = r.notice_id)
  AND r.received_at < legal_now() - make_interval(days => $2::integer)
  AND NOT EXISTS (SELECT FROM unnest(r.addresses) AS a(address) WHERE a.address IN (SELECT h.address FROM held h))
ORDER BY r.received_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED;

-- name: erase_nameless_callbacks
-- Whole callbacks, once each event in them is erased.
UPDATE callback_batch SET body = '', headers = '{}', body_sha256 = sha256(body), erased_at = legal_now()
WHERE batch_id IN (
    SELECT b.batch_id FROM callback_batch b
    WHERE b.erased_at IS NULL AND b.received_at < legal_now() - make_interval(days => $2::integer)
      AND NOT EXISTS (SELECT FROM raw_evidence r WHERE r.door = 'callback' AND r.source = b.provider AND r.erased_at IS NULL
                      AND r.received_at BETWEEN b.received_at - interval '1 minute' AND b.received_at + interval '1 minute')
    ORDER BY b.received_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED)
RETURNING batch_id;

-- name: erase_nameless_requests
-- Requests that became no notice; not while a legal hold is on the business, the matter or the reference that they were
-- about. What said something of a notice goes with the evidence that it became.
UPDATE intake_event SET body = '', erased_at = legal_now() WHERE (source, event_id) IN (
    SELECT e.source, e.event_id FROM intake_event e,
         LATERAL (SELECT convert_from(e.body, 'UTF8')::jsonb -> 'data' AS data) AS asked
    WHERE e.erased_at IS NULL AND e.received_at < legal_now() - make_interval(days => $2::integer)
      AND NOT EXISTS (SELECT FROM notice n WHERE n.source = e.source AND n.source_ref = asked.data ->> 'source_ref'
                      AND n.data_hash = e.data_hash)
      AND NOT EXISTS (SELECT FROM raw_evidence r WHERE r.source = e.source AND r.event_id = e.event_id AND r.door = 'http'
                      AND r.erased_at IS NULL)
      AND NOT EXISTS (SELECT FROM legal_hold l LEFT JOIN notice h ON h.notice_id = l.notice_id WHERE l.lifted_at IS NULL
                      AND (l.business_id = asked.data ->> 'business_id'
                           OR (l.regime = asked.data ->> 'regime' AND l.matter = asked.data ->> 'matter')
                           OR (h.source = e.source AND h.source_ref = asked.data ->> 'source_ref')))
    ORDER BY e.received_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED)
RETURNING event_id;

-- name: erase_nameless_told
-- Refusals that upstream was told of, about no notice.
UPDATE outbox SET erased_at = legal_now(), body_sha256 = sha256(body),
    body = convert_to(((convert_from(body, 'UTF8')::jsonb - 'data') || '{"data": {}}')::text, 'UTF8')
WHERE outbox_id IN (
    SELECT o.outbox_id FROM outbox o
    WHERE o.notice_id IS NULL AND o.source IS NOT NULL AND o.erased_at IS NULL AND o.sent_at IS NOT NULL
      AND o.created_at < clock_timestamp() - make_interval(days => $2::integer)
      AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.outbox_id = o.outbox_id AND d.delivered_at IS NULL)
    ORDER BY o.created_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED)
RETURNING outbox_id;

-- name: erase_carried
-- What upstream said that only passed through here to the broker, a week after it went: whoever took it in has it since.
UPDATE outbox SET erased_at = legal_now(), body_sha256 = sha256(body), body = ''
WHERE outbox_id IN (
    SELECT o.outbox_id FROM outbox o
    WHERE o.notice_id IS NULL AND o.source IS NULL AND o.erased_at IS NULL
      AND o.type IN ('notice.requested.v1', 'obligation.satisfied.v1', 'response.reported.v1', 'withdrawal.requested.v1',
                     'sanction.objected.v1')
      AND o.created_at < clock_timestamp() - make_interval(days => least(7, $2::integer))
      AND o.sent_at < clock_timestamp() - make_interval(days => least(7, $2::integer))
    ORDER BY o.created_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED)
RETURNING outbox_id;

-- name: erase_nameless_failed
-- Settled failures that name no notice, and stand for no evidence, that still has its content; not while a legal hold is on
-- what they name. A body that failed may be anything, so what it names is looked for as it is written.
UPDATE failed_item SET erased_at = legal_now(), body_sha256 = sha256(body), body = '', headers = '{}', reason = '',
    history = (SELECT coalesce(jsonb_agg(jsonb_build_object('at', h -> 'at', 'error', h -> 'error', 'stack', '')), '[]')
               FROM jsonb_array_elements(failed_item.history) AS h)
WHERE failed_id IN (
    SELECT f.failed_id FROM failed_item f
    WHERE f.state IN ('resolved', 'discarded') AND f.erased_at IS NULL
      AND f.created_at < clock_timestamp() - make_interval(days => $2::integer)
      AND NOT EXISTS (SELECT FROM notice_content c WHERE c.notice_id = f.notice_id AND c.erased_at IS NULL)
      AND NOT EXISTS (SELECT FROM raw_evidence r WHERE r.evidence_id = f.evidence_id AND r.erased_at IS NULL)
      AND NOT EXISTS (
          SELECT FROM legal_hold l LEFT JOIN notice h ON h.notice_id = l.notice_id
          LEFT JOIN notice m ON m.notice_id = f.notice_id
          WHERE l.lifted_at IS NULL
            AND (l.notice_id = m.notice_id OR (l.regime = m.regime AND l.matter = m.matter) OR l.business_id = m.business_id
                 OR position(convert_to(coalesce(l.business_id, l.matter, h.source_ref), 'UTF8') IN f.body) > 0))
    ORDER BY f.created_at LIMIT $1::integer FOR NO KEY UPDATE SKIP LOCKED)
RETURNING failed_id;

-- name: retention_ask
-- A named person asks that the content of a notice be erased before its period is over; relay looks at it next.
INSERT INTO retention (notice_id, look_again_at, asked_by, asked_reason, asked_at)
VALUES ($1::uuid, legal_now(), $2::text, $3::text, legal_now())
ON CONFLICT (notice_id) DO UPDATE SET look_again_at = excluded.look_again_at, asked_by = excluded.asked_by,
    asked_reason = excluded.asked_reason, asked_at = excluded.asked_at;

-- name: legal_hold_place
-- A legal hold, by name.
INSERT INTO legal_hold (legal_hold_id, notice_id, regime, matter, business_id, reason, placed_by, placed_at)
VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::timestamptz);

-- name: legal_hold_lift
-- A legal hold is lifted, by name.
UPDATE legal_hold SET lifted_by = $2::text, lifted_at = $3::timestamptz, lift_reason = $4::text
WHERE legal_hold_id = $1::uuid AND lifted_at IS NULL;

-- name: desk_legal_hold_find
-- Legal holds by id or by the end of their id.
SELECT legal_hold_id FROM legal_hold
WHERE length($1::text) >= 4 AND right(legal_hold_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_legal_holds
-- Open legal holds, oldest first; with $1, the lifted ones as well; with $2, this one.
SELECT l.legal_hold_id, l.notice_id, l.regime, l.matter, l.business_id, l.reason, l.placed_by, l.placed_at, l.lifted_by,
       l.lifted_at, l.lift_reason
FROM legal_hold l WHERE ($1::boolean OR l.lifted_at IS NULL) AND ($2::uuid IS NULL OR l.legal_hold_id = $2)
ORDER BY l.placed_at, l.legal_hold_id LIMIT $3::integer;

-- name: desk_legal_holds_of
-- Every legal hold that was ever on one notice, its matter or its business.
SELECT l.legal_hold_id, l.notice_id, l.regime, l.matter, l.business_id, l.reason, l.placed_by, l.placed_at, l.lifted_by,
       l.lifted_at, l.lift_reason
FROM legal_hold l JOIN notice n ON n.notice_id = $1::uuid
    AND (l.notice_id = n.notice_id OR (l.regime = n.regime AND l.matter = n.matter) OR l.business_id = n.business_id)
ORDER BY l.placed_at, l.legal_hold_id;

-- name: desk_retention
-- What was found when content was looked at: what is due, what is kept and why, what is erased; the longest due first.
SELECT r.notice_id, n.source_ref, n.regime, n.notice_type, n.business_id, n.matter, n.state, r.kept_until, r.kept_for,
       r.look_again_at, r.looked_at, r.erased_at, r.asked_by, r.asked_reason, r.asked_at,
       r.look_again_at <= legal_now() AS due
FROM retention r JOIN notice n ON n.notice_id = r.notice_id
WHERE ($1::text IS NULL OR $1 = ANY (r.kept_for)) AND ($2::boolean OR r.erased_at IS NULL)
  AND (NOT $3::boolean OR r.look_again_at <= legal_now()) AND ($4::text IS NULL OR n.business_id = $4)
ORDER BY r.look_again_at, r.notice_id LIMIT $5::integer;

-- name: desk_retention_of
-- What is known of the content of one notice.
SELECT c.erased_at, r.kept_until, r.kept_for, r.look_again_at, r.looked_at, r.asked_by, r.asked_reason, r.asked_at
FROM notice n LEFT JOIN notice_content c ON c.notice_id = n.notice_id LEFT JOIN retention r ON r.notice_id = n.notice_id
WHERE n.notice_id = $1::uuid;

-- name: desk_legal_hold_covers
-- How many notices a legal hold is on by now.
SELECT count(*) AS notices FROM notice n JOIN legal_hold l ON l.legal_hold_id = $1::uuid
    AND (l.notice_id = n.notice_id OR (l.regime = n.regime AND l.matter = n.matter) OR l.business_id = n.business_id);
