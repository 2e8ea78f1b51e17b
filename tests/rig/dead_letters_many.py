"""Dead letters by the ten thousand, as a bad night leaves them: of six workers, of some causes each, with the notices
and the raw evidence that they are about. Written by the database itself, in seconds.

With `done` each was done before (its processed key is there), as after a restore: the real workers resolve them at
once, without mail, and what is measured is the replay and not the work.
"""

from __future__ import annotations

import asyncpg

WORKERS = ("notifier", "renderer", "bounces", "responses", "sanctions", "intake")
"""Whose they are."""
NOTICES_IN = 10
"""One notice for so many dead letters."""

_NOTICES = """
INSERT INTO notice (notice_id, source, source_ref, data_hash, regime, notice_type, matter, business_id, channel, origin,
    language, address, template_version, template_hash, trial, state, seq, chain_head, accepted_at, rendered_at,
    content_available_at, alert_accepted_at, served_at, deemed_on, deadline_version, deadline_at, satisfied_at,
    lapsed_at, told)
SELECT md5('notice ' || i)::uuid, 'fees', 'fees/2026/' || lpad(i::text, 6, '0'), '\\x00', 'aml-supervision',
    (ARRAY['fee-outstanding', 'fee-due', 'request-for-information-ownership'])[1 + i % 3], 'fees/matter/' || i,
    'XAML' || lpad(i::text, 11, '0'), 'secure_comm', 'automatic', 'en', 'owner-' || i || '@business.example', '1',
    '\\x01', false, s.state, 1, '\\x02', s.at, s.at,
    s.at, s.at, s.at, s.at::date, 1, s.due, CASE s.state WHEN 'satisfied' THEN s.at + interval '1 day' END,
    CASE s.state WHEN 'lapsed' THEN s.due END, 1
FROM generate_series(1, $1::integer) AS i CROSS JOIN LATERAL (
    SELECT (ARRAY['satisfied', 'served', 'lapsed'])[1 + i % 3] AS state,
           legal_now() - interval '30 days' AS at,
           legal_now() + interval '1 day' * CASE WHEN i % 3 = 1 THEN 1 + i % 9 ELSE -5 END AS due) AS s
"""

_DEADLINES = """
INSERT INTO deadline (notice_id, version, deemed_on, period_days, due_on, due_at, zone, rule, calendar_version,
                      passed_at)
SELECT notice_id, 1, deemed_on, 21, deadline_at::date, deadline_at, 'Europe/London', 'same day; 21 calendar days',
       'test 1', CASE state WHEN 'lapsed' THEN legal_now() END
FROM notice
"""

_SANCTIONS = """
WITH proposed AS (
    INSERT INTO sanction (sanction_id, notice_id, deadline_version, regime, matter, kind, automatic, state, proposed_at,
                          objections_until)
    SELECT md5('sanction ' || notice_id)::uuid, notice_id, 1, regime, matter, 'registration.cancel', true, 'proposed',
           lapsed_at, lapsed_at + interval '1 day'
    FROM notice WHERE state = 'lapsed' RETURNING notice_id)
INSERT INTO gate_wait (notice_id, version, look_again_at, looked_at, waiting_for)
SELECT notice_id, 1, NULL, clock_timestamp(), '{evidence_waiting}' FROM proposed
"""

_ITEMS = """
CREATE TEMP TABLE seeded AS
SELECT i, md5('dead letter ' || i)::uuid AS failed_id, k.worker, k.type, n.notice_id, e.evidence_id,
    CASE WHEN k.worker IN ('notifier', 'sanctions') THEN n.notice_id
         ELSE coalesce(e.evidence_id, nobody.id) END AS subject,
    'event-' || i AS event_id, CASE WHEN k.worker IN ('renderer', 'intake') THEN 'fees' ELSE 'duly' END AS source,
    k.errors[1 + i / 20 % 2] AS error, k.places[1 + i / 20 % 2] AS place,
    clock_timestamp() - interval '1 second' * ($1 - i) AS at
FROM generate_series(1, $1::integer) AS i
CROSS JOIN (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS id) AS nobody
JOIN (VALUES
    (0, 5, 'notifier', 'notice.rendered.v1', '{TimeoutError,KeyError}'::text[], '{pool.py:88,skeleton.py:41}'::text[]),
    (6, 9, 'renderer', 'notice.requested.v1', '{UndefinedError,ValueError}', '{content.py:73,amounts.py:19}'),
    (10, 12, 'bounces', 'bounce.received.v1', '{UnicodeDecodeError,LookupError}', '{report.py:112,charset.py:30}'),
    (13, 15, 'responses', 'response.received.v1', '{ValueError,TypeError}', '{handler.py:140,kinds.py:22}'),
    (16, 17, 'sanctions', 'deadline.passed.v1', '{AssertionError,LookupError}', '{gate.py:61,calendar.py:18}'),
    (18, 19, 'intake', 'response.reported.v1', '{DeadLetter,DeadLetter}', '{data.kind,data.source_ref}')
) AS k(low, high, worker, type, errors, places) ON i % 20 BETWEEN k.low AND k.high
CROSS JOIN LATERAL (SELECT 1 + i % $2::integer AS of) AS o
CROSS JOIN LATERAL (SELECT CASE WHEN k.worker NOT IN ('renderer', 'intake')
                                THEN md5('notice ' || o.of)::uuid END) AS n(notice_id)
CROSS JOIN LATERAL (SELECT CASE WHEN k.worker IN ('bounces', 'responses', 'intake')
                                THEN md5('evidence ' || i)::uuid END) AS e(evidence_id)
"""

_EVIDENCE = """
INSERT INTO raw_evidence (evidence_id, door, source, event_id, type, received_at, content_type, headers, body,
                          notice_id, addresses, state, outcome, looked_at)
SELECT evidence_id, CASE worker WHEN 'bounces' THEN 'mail' ELSE 'amqp' END,
       CASE worker WHEN 'bounces' THEN NULL ELSE 'fees' END, CASE worker WHEN 'bounces' THEN NULL ELSE 'raw-' || i END,
       CASE worker WHEN 'bounces' THEN NULL ELSE 'response.reported.v1' END, at,
       CASE worker WHEN 'bounces' THEN 'message/rfc822' ELSE 'application/cloudevents+json' END, '{}',
       convert_to('evidence ' || i, 'UTF8'), notice_id, '{}', 'dead', 'its work failed', at
FROM seeded WHERE evidence_id IS NOT NULL
"""

_DATA = """CASE worker
    WHEN 'notifier' THEN jsonb_build_object('notices', jsonb_build_array(notice_id))
    WHEN 'sanctions' THEN jsonb_build_object('deadlines', jsonb_build_array(
        jsonb_build_object('notice_id', notice_id, 'version', 1)))
    WHEN 'bounces' THEN jsonb_build_object('evidence', jsonb_build_array(evidence_id))
    WHEN 'responses' THEN jsonb_build_object('evidence', jsonb_build_array(evidence_id))
    WHEN 'intake' THEN jsonb_build_object('source_ref', 'fees/unknown/' || i, 'kind', 'question')
    ELSE jsonb_build_object('source_ref', 'fees/later/' || i, 'regime', 'aml-supervision',
        'notice_type', (ARRAY['fee-outstanding', 'fee-due'])[1 + i % 2], 'business_id', 'XAML' || i,
        'address', 'owner@business.example', 'origin', 'automatic',
        'values', jsonb_build_object('business_name', 'Harbour & Sons', 'fee_amount', '300.00',
                                     'payment_reference', 'PAY-' || i, 'fee_due_on', '2026-10-01')) END"""

_FAILED = f"""
INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, notice_id, evidence_id, routing_key,
                         content_type, headers, body, reason, attempts, history, next_at, created_at, changed_at,
                         notice_type)
SELECT failed_id, worker, 'dead', source, event_id, type, subject, notice_id, evidence_id, type,
       'application/cloudevents+json', '{{"duly-user": "fees"}}',
       convert_to(jsonb_build_object('specversion', '1.0', 'id', event_id, 'source', source, 'type', type,
           'datacontenttype', 'application/json', 'data', {_DATA})::text, 'UTF8'),
       CASE error WHEN 'DeadLetter' THEN place || ': the field is not what it must be'
                  ELSE 'gave up after 7 attempts: ' || error || ' at ' || place END,
       3, jsonb_build_array(story.tale, story.tale, story.tale), NULL, at, at,
       CASE worker WHEN 'renderer' THEN 'aml-supervision/' || (ARRAY['fee-outstanding', 'fee-due'])[1 + i % 2] END
FROM seeded CROSS JOIN LATERAL (SELECT jsonb_build_object('at', at, 'error', error, 'stack',
    '  File "services/' || worker || '/handler.py", line 52, in decide' || chr(10) || '    made = one(item)' || chr(10)
    || '  File "services/' || worker || '/' || split_part(place, ':', 1) || '", line ' || split_part(place, ':', 2)
    || ', in one' || chr(10) || '    return known[name]' || chr(10)) AS tale) AS story
"""

_PROCESSED = """
INSERT INTO processed (consumer, source, event_id, subject, outcome)
SELECT worker, source, event_id, subject, 'done' FROM seeded
"""


async def seed(dsn: str, number: int, *, done: bool = False) -> None:
    """Leave so many dead letters in a migrated database that has none."""
    notices = max(3, number // NOTICES_IN)
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = off")
            await connection.execute("SET LOCAL work_mem = '64MB'")
            await _run(connection, _NOTICES, notices)
            for statement in (_DEADLINES, _SANCTIONS):
                await _run(connection, statement)
            await _run(connection, _ITEMS, number, notices)
            for statement in (_EVIDENCE, _FAILED, *([_PROCESSED] if done else [])):
                await _run(connection, statement)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _run(connection: asyncpg.Connection, statement: str, *arguments: int) -> None:
    await connection.execute(statement, *arguments)
