-- name: desk_evidence_find
-- Raw evidence by id or by the end of its id.
SELECT evidence_id FROM raw_evidence
WHERE length($1::text) >= 4 AND right(evidence_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_evidence
-- Raw evidence that nobody has finished with, oldest first; with $1, all of it, newest last.
SELECT r.evidence_id, r.door, r.source, r.event_id, r.type, r.received_at, r.state, r.outcome, r.notice_id, r.source_ref,
       r.attempt_id, r.addresses, r.looked_at, octet_length(r.body) AS bytes,
       clock_timestamp() - (r.received_at - (legal_now() - clock_timestamp())) AS age
FROM raw_evidence r
WHERE ($1::boolean OR r.state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead'))
  AND ($2::text IS NULL OR r.state = $2) AND ($3::text IS NULL OR r.door = $3)
ORDER BY r.received_at, r.evidence_id LIMIT $4::integer;

-- name: desk_sending
-- The sending brake, with what is on it.
SELECT on_since IS NOT NULL AND (until IS NULL OR until > clock_timestamp()) AS is_on, on_since, until, reason, changed_by
FROM sending_brake;

-- name: desk_addresses
-- Suppressed addresses, newest first.
SELECT address, reason, since FROM suppressed_address
WHERE $1::text IS NULL OR position($1 IN address) > 0 ORDER BY since DESC, address LIMIT $2::integer;

-- name: desk_address_suppress
-- An address that must not be written to from now on; answers whether it is new.
INSERT INTO suppressed_address (address, reason, since) VALUES ($1::text, $2::text, clock_timestamp())
ON CONFLICT (address) DO NOTHING RETURNING address;

-- name: desk_address_release
-- An address that may be written to again; answers whether it was suppressed.
DELETE FROM suppressed_address WHERE address = $1::text RETURNING address;
