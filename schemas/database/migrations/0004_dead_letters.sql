-- Dead letters: what they have in common, runs that rehearse or replay them, edits that two persons answer for, notes.
-- Workers of the version before go on beside this: what they write is complete without the new columns.

-- What failures have in common: a reason without what differs from item to item (ids, quoted values, addresses, long
-- numbers, how often it was tried), and with the exception and its place.
CREATE FUNCTION failure_cause(reason text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT left(
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
            left(reason, 2000),
            '^gave up after \d+ attempts: ', ''),
            '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '…', 'g'),
            '(?<!\w)''[^'']*''(?!\w)|"[^"]*"', '…', 'g'),
            '[^\s<>;,:]+@[^\s<>;,]+', '…', 'g'),
            '\y[0-9a-fA-F]{16,}\y', '…', 'g'),
            '\y(line|column|position|index) \d+', '\1 …', 'g'),
            '(^|[^:0-9])\d{4,}', '\1…', 'g'),
        300)
$$;

ALTER TABLE failed_item
    ADD COLUMN cause text NOT NULL GENERATED ALWAYS AS (failure_cause(reason)) STORED,
    ADD COLUMN notice_type text, -- "regime/notice_type" that a request names for which there is no notice yet
    ADD COLUMN replays integer NOT NULL DEFAULT 0; -- how often a run has handed it out
CREATE INDEX failed_item_listed ON failed_item (state, created_at, failed_id);

-- Items that one person rehearses or replays together. A replay hands out `steps` items at a time, the last number from
-- then on, and goes on only when all have ended well; `relay` drives it, so it outlives every process. Wall time.
CREATE TABLE replay_run (
    run_id     uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('rehearsal', 'replay')),
    state      text NOT NULL CHECK (state IN ('running', 'stopped', 'cancelled', 'finished')),
    begun_by   text NOT NULL,
    begun_at   timestamptz NOT NULL,
    reason     text NOT NULL,
    choice     text NOT NULL, -- what was chosen, in words
    steps      integer[] NOT NULL CHECK (cardinality(steps) BETWEEN 1 AND 100 AND 0 < ALL (steps)),
    per_second double precision CHECK (per_second > 0),
    total      integer NOT NULL CHECK (total > 0),
    batch      integer NOT NULL DEFAULT 0, -- the number of the batch that is out, or was last
    step       integer NOT NULL DEFAULT 0, -- how many batches it has begun since it began or was resumed
    left_over  integer NOT NULL DEFAULT 0, -- how many items of the batch are still to be handed out
    paced_at   timestamptz NOT NULL, -- up to when what was handed out fills the limit per second
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    why        text NOT NULL DEFAULT '', -- why it stands as it does: what failed again, or what a person said
    ended_at   timestamptz,
    CONSTRAINT ended_is_dated CHECK ((state IN ('cancelled', 'finished')) = (ended_at IS NOT NULL))
);
CREATE INDEX replay_run_begun ON replay_run (begun_at DESC, run_id DESC);
CREATE INDEX replay_run_open ON replay_run (begun_at) WHERE state IN ('running', 'stopped');

-- An item of a run. Not handed out: `batch` is null. Out: `handed_at` says since when. Ended: `outcome` says how.
-- Of a rehearsal `outcome` is the verdict, which its worker writes; of a replay `relay` reads it off the item.
CREATE TABLE replay_item (
    run_id    uuid NOT NULL REFERENCES replay_run,
    failed_id uuid NOT NULL REFERENCES failed_item,
    position  integer NOT NULL,
    replays   boolean NOT NULL, -- whether it is of a replay
    batch     integer,
    handed_at timestamptz, -- wall time; when it was handed out last
    times     integer NOT NULL DEFAULT 0, -- how often it was handed out
    begun     integer NOT NULL DEFAULT 0, -- how often a worker began anew with its rehearsal after another had died
    outcome   text CHECK (outcome IN ('safe', 'already_done', 'expired', 'unsafe',
                                      'done', 'refused', 'failed', 'left', 'cancelled')),
    why       text NOT NULL DEFAULT '',
    effects   text[] NOT NULL DEFAULT '{}', -- what would follow, in words
    ended_at  timestamptz,
    PRIMARY KEY (run_id, failed_id),
    UNIQUE (run_id, position),
    CONSTRAINT outcome_is_dated CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX replay_item_in_one_run ON replay_item (failed_id) WHERE replays AND ended_at IS NULL;
CREATE INDEX replay_item_item ON replay_item (failed_id);
CREATE INDEX replay_item_waiting ON replay_item (run_id, position) WHERE batch IS NULL AND ended_at IS NULL;
CREATE INDEX replay_item_out ON replay_item (run_id, handed_at) WHERE batch IS NOT NULL AND ended_at IS NULL;

-- Another body that one person proposes for an item, and another person approves or rejects. It is overtaken if the item
-- changed after `item_changed_at`. Wall time.
CREATE TABLE failed_item_edit (
    edit_id         uuid PRIMARY KEY,
    failed_id       uuid NOT NULL REFERENCES failed_item,
    state           text NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'overtaken')),
    raw             boolean NOT NULL, -- of what could not be read: nothing of it is checked but what the transport says
    body_before     bytea NOT NULL,
    body            bytea NOT NULL,
    content_type    text NOT NULL,
    headers         jsonb NOT NULL,
    item_changed_at timestamptz NOT NULL,
    proposed_by     text NOT NULL,
    proposed_at     timestamptz NOT NULL,
    reason          text NOT NULL,
    decided_by      text,
    decided_at      timestamptz,
    decision_reason text,
    CONSTRAINT decision_is_whole CHECK ((state = 'proposed') = (decided_at IS NULL)
                                        AND (decided_by IS NULL) = (decided_at IS NULL)
                                        AND (decided_by IS NULL) = (decision_reason IS NULL)),
    CONSTRAINT two_persons CHECK (state <> 'approved'
                                  OR lower(btrim(decided_by)) <> lower(btrim(proposed_by)))
);
CREATE UNIQUE INDEX failed_item_edit_one_open ON failed_item_edit (failed_id) WHERE state = 'proposed';
CREATE INDEX failed_item_edit_item ON failed_item_edit (failed_id);

-- What persons did with a failed item. `mend`: its body was replaced, as an approved edit says. A note stays for ever.
ALTER TABLE failed_item_action
    DROP CONSTRAINT failed_item_action_action_check,
    ADD CONSTRAINT failed_item_action_action_check CHECK (action IN ('replay', 'mend', 'discard', 'restore', 'note', 'hurry',
                                                                     'stop', 'propose', 'reject', 'overtake')),
    ADD COLUMN run_id uuid REFERENCES replay_run; -- the run that replayed it
