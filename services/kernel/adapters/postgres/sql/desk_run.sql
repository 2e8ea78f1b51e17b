-- name: desk_run_find
-- Runs over dead letters by id or by the end of their id.
SELECT run_id FROM replay_run
WHERE length($1::text) >= 4 AND right(run_id::text, length($1::text)) = lower($1::text) LIMIT 3;

-- name: desk_edit_find
-- Proposals of edits by id or by the end of their id.
SELECT edit_id FROM failed_item_edit
WHERE length($1::text) >= 4 AND right(edit_id::text, length($1::text)) = lower($1::text) LIMIT 3;
