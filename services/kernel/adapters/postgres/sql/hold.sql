-- name: hold_place
-- Holds placed by name.
INSERT INTO hold (hold_id, notice_id, kind, reason, placed_by, placed_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]);

-- name: hold_lift
-- Holds lifted by name.
UPDATE hold SET lifted_by = u.lifted_by, lifted_at = u.lifted_at, lift_reason = u.lift_reason
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]) AS u(hold_id, lifted_by, lifted_at, lift_reason)
WHERE hold.hold_id = u.hold_id;

-- name: holds_of
-- Every hold of one notice, oldest first.
SELECT hold_id, notice_id, kind, reason, placed_by, placed_at, lifted_by, lifted_at, lift_reason
FROM hold WHERE notice_id = $1::uuid ORDER BY placed_at, hold_id;
