-- name: deadline_set
-- Deadline versions.
INSERT INTO deadline (notice_id, version, deemed_on, period_days, due_on, due_at, zone, rule, calendar_version, reason, approver)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::date[], $4::integer[], $5::date[], $6::timestamptz[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::text[]);

-- name: deadline_claim_due
-- Deadlines whose instant has passed in legal time, oldest first; what another process holds is skipped.
SELECT notice_id, version, due_at FROM deadline WHERE passed_at IS NULL AND due_at <= (SELECT legal_now())
ORDER BY due_at LIMIT $1::integer FOR UPDATE SKIP LOCKED;

-- name: deadline_pass
-- The timers of these deadline versions have done their work.
UPDATE deadline SET passed_at = u.passed_at FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[])
    AS u(notice_id, version, passed_at)
WHERE deadline.notice_id = u.notice_id AND deadline.version = u.version;

-- name: deadline_current
-- The current deadline of one notice.
SELECT d.* FROM deadline d JOIN notice n ON n.notice_id = d.notice_id AND n.deadline_version = d.version
WHERE d.notice_id = $1::uuid;
