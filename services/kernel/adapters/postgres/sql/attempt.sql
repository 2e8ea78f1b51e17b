-- name: attempt_claim
-- Alerts about to be handed over; the lease is in seconds of wall time.
INSERT INTO attempt (attempt_id, notice_id, number, kind, address, state, started_at, lease_until)
SELECT u.attempt_id, u.notice_id, u.number, u.kind, u.address, 'sending', clock_timestamp(),
       clock_timestamp() + make_interval(secs => u.lease)
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::float8[])
     AS u(attempt_id, notice_id, number, kind, address, lease);

-- name: attempt_settle
-- What came of attempts. An acceptance is recorded even where the lease was lost meanwhile.
UPDATE attempt SET state = u.state, settled_at = clock_timestamp(),
    retry_at = clock_timestamp() + make_interval(secs => u.retry_after),
    phase = u.phase, code = u.code, enhanced = u.enhanced, reply = u.reply
FROM unnest($1::uuid[], $2::text[], $3::float8[], $4::text[], $5::integer[], $6::text[], $7::text[])
     AS u(attempt_id, state, retry_after, phase, code, enhanced, reply)
WHERE attempt.attempt_id = u.attempt_id;

-- name: attempt_retire
-- The retry of these attempts was taken up, or is no longer wanted.
UPDATE attempt SET retry_at = NULL FROM unnest($1::uuid[]) AS u(attempt_id) WHERE attempt.attempt_id = u.attempt_id;

-- name: attempts
-- Every attempt of these notices, oldest first.
SELECT attempt_id, notice_id, number, kind, address, state, started_at, lease_until, retry_at
FROM attempt WHERE notice_id = ANY($1::uuid[]) ORDER BY notice_id, number;

-- name: attempts_by_id
-- These attempts.
SELECT attempt_id, notice_id, number, kind, address, state, started_at, lease_until, retry_at
FROM attempt WHERE attempt_id = ANY($1::uuid[]);

-- name: attempts_to
-- Attempts to these addresses within the sending window, newest first.
SELECT attempt_id, notice_id, number, kind, address, state, started_at, lease_until, retry_at
FROM attempt WHERE lower(address) = ANY($1::text[]) AND started_at >= $2::timestamptz ORDER BY started_at DESC;

-- name: attempts_abandon
-- Attempts whose lease is over: their worker died or hangs. Whether the mail was taken is not known.
UPDATE attempt SET state = 'abandoned', settled_at = clock_timestamp(), retry_at = clock_timestamp()
WHERE attempt_id IN (SELECT attempt_id FROM attempt WHERE state = 'sending' AND lease_until < clock_timestamp()
                     ORDER BY lease_until LIMIT $1::integer FOR UPDATE SKIP LOCKED);

-- name: attempts_due
-- Notices whose alert is due again; the notifier retires the date when it takes the notice up, else it comes again.
UPDATE attempt SET retry_at = clock_timestamp() + make_interval(secs => $2::float8)
WHERE attempt_id IN (SELECT attempt_id FROM attempt WHERE retry_at <= clock_timestamp()
                     ORDER BY retry_at LIMIT $1::integer FOR UPDATE SKIP LOCKED)
RETURNING notice_id;

-- name: notices_unalerted
-- Rendered notices that nobody has taken up within the grace time: their message was lost with the broker.
SELECT n.notice_id FROM notice n WHERE n.state = 'rendered' AND n.rendered_at < legal_now() - make_interval(secs => $2::float8)
    AND NOT EXISTS (SELECT FROM attempt a WHERE a.notice_id = n.notice_id)
ORDER BY n.rendered_at LIMIT $1::integer;

-- name: suppressed
-- Those of these addresses that must not be written to.
SELECT address, reason FROM suppressed_address WHERE address = ANY($1::text[]);

-- name: sending_brake
-- Whether mail may leave.
SELECT on_since IS NOT NULL AND (until IS NULL OR until > clock_timestamp()) AS is_on, coalesce(reason, '') AS reason
FROM sending_brake;

-- name: sending_brake_set
-- Stop all sending, for so many seconds or until a person releases it.
UPDATE sending_brake SET on_since = clock_timestamp(), until = clock_timestamp() + make_interval(secs => $2::float8),
    reason = $1::text, changed_by = $3::text
WHERE on_since IS NULL OR until IS NOT NULL;

-- name: sending_brake_release
-- A person lets mail leave again.
UPDATE sending_brake SET on_since = NULL, until = NULL, reason = $1::text, changed_by = $2::text;
