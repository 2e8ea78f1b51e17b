-- name: intake_known
-- Events that came before under these (source, event id): by HTTP, or as evidence by another door.
SELECT u.source, u.event_id, k.body, k.content_type, k.headers, k.type, k.data_hash, k.erased
FROM unnest($1::text[], $2::text[]) AS u(source, event_id)
CROSS JOIN LATERAL (
    SELECT e.body, 'application/cloudevents+json' AS content_type, '{}' AS headers, e.type, e.data_hash,
           e.erased_at IS NOT NULL AS erased FROM intake_event e
    WHERE e.source = u.source AND e.event_id = u.event_id
    UNION ALL
    SELECT r.body, r.content_type, r.headers::text, r.type, r.data_hash, r.erased_at IS NOT NULL FROM raw_evidence r
    WHERE r.source = u.source AND r.event_id = u.event_id AND r.door = 'amqp'
    LIMIT 1) AS k;

-- name: intake_keep
-- Events that came over HTTP, each once; what is answered is new.
INSERT INTO intake_event (source, event_id, type, data_hash, body, received_at)
SELECT u.source, u.event_id, u.type, u.data_hash, u.body, legal_now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[]) AS u(source, event_id, type, data_hash, body)
ON CONFLICT (source, event_id) DO NOTHING
RETURNING event_id;

-- name: intake_status
-- Where one notice stands, for the source that asked for it and for nobody else; by id or by its own reference.
SELECT jsonb_build_object(
    'notice_id', n.notice_id, 'source_ref', n.source_ref, 'matter', n.matter, 'regime', n.regime,
    'notice_type', n.notice_type, 'business_id', n.business_id, 'channel', n.channel, 'origin', n.origin,
    'language', n.language, 'template_version', n.template_version, 'trial', n.trial, 'state', n.state,
    'accepted_at', n.accepted_at, 'rendered_at', n.rendered_at, 'served_at', n.served_at, 'deemed_on', n.deemed_on,
    'satisfied_at', n.satisfied_at, 'lapsed_at', n.lapsed_at, 'closed_at', n.closed_at,
    'sanctioned_at', n.sanctioned_at, 'unserved_at', n.unserved_at, 'withdrawn_at', n.withdrawn_at,
    'deadline', (SELECT jsonb_build_object('version', d.version, 'due_on', d.due_on, 'due_at', d.due_at, 'zone', d.zone)
                 FROM deadline d WHERE d.notice_id = n.notice_id AND d.version = n.deadline_version
                   AND n.state NOT IN ('unserved', 'withdrawn')),
    'holds', (SELECT coalesce(jsonb_agg(jsonb_build_object('hold_id', h.hold_id, 'kind', h.kind, 'placed_at', h.placed_at)
                                        ORDER BY h.placed_at, h.hold_id), '[]')
              FROM hold h WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL),
    'sanction', (SELECT jsonb_build_object('sanction_id', s.sanction_id, 'kind', s.kind, 'state', s.state,
                                           'objections_until', s.objections_until, 'fired_at', s.fired_at)
                 FROM sanction s WHERE s.notice_id = n.notice_id AND s.deadline_version = n.deadline_version),
    'told', (SELECT coalesce(jsonb_agg(t.event ORDER BY t.sequence), '[]') FROM (
                 SELECT DISTINCT ON ((e.event ->> 'sequence')::integer) (e.event ->> 'sequence')::integer AS sequence, e.event
                 FROM outbox o, LATERAL (SELECT convert_from(o.body, 'UTF8')::jsonb AS event) AS e
                 WHERE o.notice_id = n.notice_id AND o.source = $1::text
                 ORDER BY (e.event ->> 'sequence')::integer, o.outbox_id) AS t)
)::text AS status
FROM notice n
WHERE n.source = $1::text AND (n.notice_id = $2::uuid OR n.source_ref = $3::text);

-- name: intake_root
-- The root of one UTC day.
SELECT jsonb_build_object('day', r.day, 'chains', r.chains, 'root', encode(r.root, 'hex'),
                          'algorithm', 'sha256-merkle-v1', 'made_at', r.made_at)::text AS root
FROM chain_root r WHERE r.day = $1::date;
