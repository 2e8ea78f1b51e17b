-- Edits of dead letters: proposed by one person, decided by another.

-- name: edits
-- Proposals, oldest first.
SELECT edit_id, failed_id, state, raw, body_before, body, content_type, proposed_by, proposed_at, reason, decided_by, decided_at,
       decision_reason
FROM failed_item_edit
WHERE ($1::uuid IS NULL OR failed_id = $1) AND ($2::uuid IS NULL OR edit_id = $2) AND (NOT $3::boolean OR state = 'proposed')
ORDER BY proposed_at, edit_id LIMIT $4::integer;

-- name: edit_lock
-- A proposal and its dead letter, locked, and whether that is as it was when it was made.
SELECT d.edit_id, f.state = 'dead' AND f.changed_at = d.item_changed_at AS current
FROM failed_item_edit d JOIN failed_item f ON f.failed_id = d.failed_id WHERE d.edit_id = $1::uuid FOR UPDATE;

-- name: edit_propose
-- Keep a proposal, and who made it and why, unless another one is open.
WITH proposed AS (
    INSERT INTO failed_item_edit (edit_id, failed_id, state, raw, body_before, body, content_type, headers, item_changed_at,
                                  proposed_by, proposed_at, reason)
    SELECT $1::uuid, f.failed_id, 'proposed', $3::boolean, f.body, $4::bytea, $5::text, $6::jsonb, f.changed_at, $7::text,
           clock_timestamp(), $8::text
    FROM failed_item f WHERE f.failed_id = $2::uuid AND f.state = 'dead'
    ON CONFLICT (failed_id) WHERE state = 'proposed' DO NOTHING RETURNING failed_id)
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)
SELECT $9::uuid, p.failed_id, clock_timestamp(), $7::text, 'propose', $8::text FROM proposed p RETURNING action_id;

-- name: edit_close
-- Decide about a proposal, and keep who did and why: `mend` where it is approved.
WITH closed AS (
    UPDATE failed_item_edit SET state = $2::text, decided_by = $3::text, decided_at = clock_timestamp(), decision_reason = $4::text
    WHERE edit_id = $1::uuid AND state = 'proposed' RETURNING failed_id, body_before)
INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason, body_before)
SELECT $5::uuid, c.failed_id, clock_timestamp(), $3::text,
       CASE $2::text WHEN 'approved' THEN 'mend' WHEN 'rejected' THEN 'reject' ELSE 'overtake' END, $4::text,
       CASE $2::text WHEN 'approved' THEN c.body_before END
FROM closed c;

-- name: edit_apply
-- Put an approved body in the place of the message.
UPDATE failed_item SET body = d.body, content_type = d.content_type, headers = d.headers, changed_at = clock_timestamp()
FROM failed_item_edit d WHERE d.edit_id = $1::uuid AND d.state = 'approved' AND failed_item.failed_id = d.failed_id;
