-- name: sanction_propose
-- Proposals.
INSERT INTO sanction (sanction_id, notice_id, deadline_version, regime, matter, kind, automatic, state, proposed_at, objections_until)
SELECT u.sanction_id, u.notice_id, u.deadline_version, u.regime, u.matter, u.kind, u.automatic, 'proposed', u.proposed_at,
       u.objections_until
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[],
            $9::timestamptz[])
     AS u(sanction_id, notice_id, deadline_version, regime, matter, kind, automatic, proposed_at, objections_until);

-- name: sanction_fire
-- The sanction is effective from here; a trigger rejects it unless the notice is lapsed.
UPDATE sanction SET state = 'fired', fired_at = u.fired_at FROM unnest($1::uuid[], $2::timestamptz[]) AS u(sanction_id, fired_at)
WHERE sanction.sanction_id = u.sanction_id AND sanction.state = 'proposed';

-- name: sanction_drop
-- What was proposed for these notices can never fire.
UPDATE sanction SET state = 'dropped' FROM unnest($1::uuid[]) AS u(notice_id)
WHERE sanction.notice_id = u.notice_id AND sanction.state = 'proposed';

-- name: sanctions_of
-- The sanction of each notice under its current deadline version.
SELECT s.sanction_id, s.notice_id, s.kind, s.state, s.objections_until FROM sanction s
JOIN notice n ON n.notice_id = s.notice_id AND n.deadline_version = s.deadline_version WHERE s.notice_id = ANY($1::uuid[]);

-- name: reversal_demand
-- A person must decide about these sanctions; the primary key is the "exactly one".
WITH demanded AS (
    INSERT INTO reversal (sanction_id, reason, required_at) SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])
    RETURNING sanction_id)
UPDATE sanction SET state = 'reversal_required' FROM demanded WHERE sanction.sanction_id = demanded.sanction_id;

-- name: reversal_decide
-- A named person decided.
WITH decided AS (
    UPDATE reversal SET decision = u.decision, decided_by = u.decided_by, decided_at = u.decided_at, decision_reason = u.reason
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
         AS u(sanction_id, decision, decided_by, decided_at, reason)
    WHERE reversal.sanction_id = u.sanction_id AND reversal.decision IS NULL
    RETURNING reversal.sanction_id, reversal.decision)
UPDATE sanction SET state = decided.decision FROM decided WHERE sanction.sanction_id = decided.sanction_id;
