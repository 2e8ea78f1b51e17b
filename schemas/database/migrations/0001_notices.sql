-- The chain from notice to sanction. A notice can be followed by hand: notice, notice_event, attempt, deadline, hold, sanction.

-- Legal time: what deemed dates, deadlines and gates are judged by. clock_timestamp(), not now(): now() is older than a lock wait.
CREATE FUNCTION legal_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT clock_timestamp() $$;

-- Whether this database's events carry the mark `trial`. Only the trial migration changes the answer.
CREATE FUNCTION is_trial() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT false $$;

-- The hot row of a notice. Every state is bound to its instant.
CREATE TABLE notice (
    notice_id            uuid PRIMARY KEY,
    source               text NOT NULL,
    source_ref           text NOT NULL,
    data_hash            bytea NOT NULL,
    regime               text NOT NULL,
    notice_type          text NOT NULL,
    matter               text NOT NULL,
    business_id          text NOT NULL,
    channel              text NOT NULL CHECK (channel IN ('secure_comm', 'letter', 'fax', 'email')),
    origin               text NOT NULL CHECK (origin IN ('automatic', 'manual')),
    language             text NOT NULL,
    address              text NOT NULL,
    template_version     text NOT NULL,
    template_hash        bytea NOT NULL,
    trial                boolean NOT NULL,
    state                text NOT NULL CHECK (state IN ('accepted', 'rendered', 'served', 'satisfied', 'lapsed', 'closed',
                                                        'sanctioned', 'unserved', 'withdrawn')),
    seq                  integer NOT NULL CHECK (seq > 0),
    chain_head           bytea NOT NULL,
    accepted_at          timestamptz NOT NULL,
    rendered_at          timestamptz,
    content_available_at timestamptz,
    alert_accepted_at    timestamptz,
    served_at            timestamptz,
    deemed_on            date,
    deadline_version     integer,
    deadline_at          timestamptz,
    satisfied_at         timestamptz,
    lapsed_at            timestamptz,
    closed_at            timestamptz,
    sanctioned_at        timestamptz,
    unserved_at          timestamptz,
    withdrawn_at         timestamptz,
    asked_days           integer CHECK (asked_days > 0),
    asked_reason         text,
    asked_approver       text,
    respond_by           date,
    told                 integer NOT NULL DEFAULT 0 CHECK (told >= 0),
    UNIQUE (source, source_ref),
    CONSTRAINT rendered_is_dated CHECK (state = 'accepted' OR rendered_at IS NOT NULL OR state = 'withdrawn'),
    CONSTRAINT served_needs_both_facts CHECK (served_at IS NULL OR channel <> 'secure_comm'
                                              OR (content_available_at IS NOT NULL AND alert_accepted_at IS NOT NULL)),
    CONSTRAINT served_is_dated CHECK (state NOT IN ('served', 'satisfied', 'lapsed', 'closed', 'sanctioned')
                                      OR (served_at IS NOT NULL AND deemed_on IS NOT NULL)),
    CONSTRAINT satisfied_is_dated CHECK (state <> 'satisfied' OR satisfied_at IS NOT NULL),
    CONSTRAINT lapsed_is_dated CHECK (state NOT IN ('lapsed', 'closed', 'sanctioned') OR lapsed_at IS NOT NULL),
    CONSTRAINT lapsed_had_a_deadline CHECK (lapsed_at IS NULL OR (deadline_at IS NOT NULL AND lapsed_at >= deadline_at)),
    CONSTRAINT closed_is_dated CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT sanctioned_is_dated CHECK (state <> 'sanctioned' OR sanctioned_at IS NOT NULL),
    CONSTRAINT unserved_is_dated CHECK ((state = 'unserved') = (unserved_at IS NOT NULL)),
    CONSTRAINT withdrawn_is_dated CHECK ((state = 'withdrawn') = (withdrawn_at IS NOT NULL)),
    CONSTRAINT shorter_is_approved CHECK ((asked_days IS NULL) = (asked_reason IS NULL)
                                          AND (asked_days IS NULL) = (asked_approver IS NULL)),
    CONSTRAINT deadline_has_a_version CHECK ((deadline_at IS NULL) = (deadline_version IS NULL))
);
CREATE INDEX notice_waiting ON notice (rendered_at) WHERE state IN ('accepted', 'rendered');
CREATE INDEX notice_matter ON notice (regime, matter);

-- The words of a notice, apart from the hot row. toast_tuple_target keeps an ordinary notice in one uncompressed row.
CREATE TABLE notice_content (
    notice_id     uuid PRIMARY KEY REFERENCES notice,
    request       jsonb NOT NULL,
    subject       text NOT NULL,
    body_text     text NOT NULL,
    body_html     text NOT NULL,
    content_hash  bytea NOT NULL,
    first_viewed_at timestamptz
) WITH (toast_tuple_target = 8160);

-- The evidence: append-only, hash-chained per notice.
CREATE TABLE notice_event (
    notice_id uuid NOT NULL,
    seq       integer NOT NULL CHECK (seq > 0),
    kind      text NOT NULL,
    at        timestamptz NOT NULL,
    actor     text NOT NULL,
    data      jsonb NOT NULL,
    digest    bytea NOT NULL,
    PRIMARY KEY (notice_id, seq)
);
CREATE INDEX notice_event_day ON notice_event USING brin (at);

-- One hand-over of one alert to the mail system, committed before DATA. The row is the lease.
CREATE TABLE attempt (
    attempt_id  uuid PRIMARY KEY,
    notice_id   uuid NOT NULL REFERENCES notice,
    number      integer NOT NULL CHECK (number > 0),
    kind        text NOT NULL CHECK (kind IN ('alert', 'reminder')),
    address     text NOT NULL,
    state       text NOT NULL CHECK (state IN ('sending', 'accepted', 'refused', 'later', 'ours', 'unknown', 'abandoned')),
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    settled_at  timestamptz,
    retry_at    timestamptz,
    phase       text,
    code        integer,
    enhanced    text,
    reply       text,
    UNIQUE (notice_id, number),
    CONSTRAINT settled_is_dated CHECK ((state = 'sending') = (settled_at IS NULL))
);
CREATE INDEX attempt_sending ON attempt (lease_until) WHERE state = 'sending';
CREATE INDEX attempt_retry ON attempt (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX attempt_address ON attempt (lower(address), started_at);

-- Addresses that must not be written to.
CREATE TABLE suppressed_address (
    address text PRIMARY KEY,
    reason  text NOT NULL,
    since   timestamptz NOT NULL
);

-- A deadline version: computed once, stored with the rules that it came from.
CREATE TABLE deadline (
    notice_id        uuid NOT NULL REFERENCES notice,
    version          integer NOT NULL CHECK (version > 0),
    deemed_on        date NOT NULL,
    period_days      integer NOT NULL CHECK (period_days > 0),
    due_on           date NOT NULL,
    due_at           timestamptz NOT NULL,
    zone             text NOT NULL,
    rule             text NOT NULL,
    calendar_version text NOT NULL,
    reason           text,
    approver         text,
    passed_at        timestamptz,
    PRIMARY KEY (notice_id, version),
    CONSTRAINT never_early CHECK (passed_at IS NULL OR passed_at >= due_at)
);
CREATE INDEX deadline_due ON deadline (due_at) WHERE passed_at IS NULL;

-- What stops a sanction, placed and lifted by name with a reason.
CREATE TABLE hold (
    hold_id    uuid PRIMARY KEY,
    notice_id  uuid NOT NULL REFERENCES notice,
    kind       text NOT NULL CHECK (kind IN ('delivery_doubt', 'contested', 'special_treatment', 'late_response',
                                             'objection', 'manual')),
    reason     text NOT NULL,
    placed_by  text NOT NULL,
    placed_at  timestamptz NOT NULL,
    lifted_by  text,
    lifted_at  timestamptz,
    lift_reason text,
    CONSTRAINT lifted_by_name CHECK ((lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL))
);
CREATE INDEX hold_notice ON hold (notice_id);
CREATE INDEX hold_open ON hold (placed_at) WHERE lifted_at IS NULL;

-- A sanction from proposal to its end. `sanction_id` is the idempotency key downstream.
CREATE TABLE sanction (
    sanction_id     uuid PRIMARY KEY,
    notice_id       uuid NOT NULL REFERENCES notice,
    deadline_version integer NOT NULL,
    regime          text NOT NULL,
    matter          text NOT NULL,
    kind            text NOT NULL,
    automatic       boolean NOT NULL,
    state           text NOT NULL CHECK (state IN ('proposed', 'fired', 'dropped', 'reversal_required', 'upheld', 'rescinded')),
    proposed_at     timestamptz NOT NULL,
    objections_until timestamptz NOT NULL,
    decided_by      text,
    approved_by     text,
    fired_at        timestamptz,
    UNIQUE (notice_id, deadline_version),
    CONSTRAINT fired_is_dated CHECK ((state IN ('proposed', 'dropped')) = (fired_at IS NULL))
);
CREATE UNIQUE INDEX sanction_one_effective ON sanction (regime, matter) WHERE state IN ('fired', 'reversal_required', 'upheld');
CREATE INDEX sanction_fired ON sanction (kind, fired_at) WHERE fired_at IS NOT NULL;

-- Lapsed notices that the gate has still to decide. Written with the lapse, deleted with the decision; every fact that
-- unblocks sets look_again_at (legal time) to now. looked_at and handed_at are wall time: when the gate last looked, and
-- when it was last told to (null once it has answered).
CREATE TABLE gate_wait (
    notice_id     uuid PRIMARY KEY REFERENCES notice,
    version       integer NOT NULL,
    look_again_at timestamptz,
    looked_at     timestamptz NOT NULL,
    handed_at     timestamptz,
    waiting_for   text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX gate_wait_due ON gate_wait (look_again_at);

-- A reversal that a person must decide; the key is the "exactly one".
CREATE TABLE reversal (
    sanction_id uuid PRIMARY KEY REFERENCES sanction,
    reason      text NOT NULL,
    required_at timestamptz NOT NULL,
    decision    text CHECK (decision IN ('rescinded', 'upheld')),
    decided_by  text,
    decided_at  timestamptz,
    decision_reason text,
    CONSTRAINT decided_by_name CHECK ((decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL))
);

-- The stop switch and the cap an hour of each kind of sanction.
CREATE TABLE brake (
    kind         text PRIMARY KEY,
    stopped      boolean NOT NULL DEFAULT false,
    cap_per_hour integer CHECK (cap_per_hour >= 0),
    changed_by   text NOT NULL,
    changed_at   timestamptz NOT NULL,
    reason       text NOT NULL
);

-- The sending brake: while it is on, no mail leaves. One row.
CREATE TABLE sending_brake (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    on_since   timestamptz,
    until      timestamptz,
    reason     text,
    changed_by text
);
INSERT INTO sending_brake DEFAULT VALUES;

-- Raw evidence: what a door took in, before anything else is made of it. The gate reads it.
CREATE TABLE raw_evidence (
    evidence_id  uuid PRIMARY KEY,
    door         text NOT NULL CHECK (door IN ('amqp', 'mail', 'cli')),
    source       text,
    event_id     text,
    type         text,
    received_at  timestamptz NOT NULL,
    content_type text NOT NULL,
    headers      jsonb NOT NULL,
    body         bytea NOT NULL,
    notice_id    uuid,
    source_ref   text,
    attempt_id   uuid,
    addresses    text[] NOT NULL DEFAULT '{}',
    state        text NOT NULL CHECK (state IN ('waiting', 'retrying', 'parked', 'dead', 'processed', 'refused', 'cleared')),
    outcome      text,
    looked_at    timestamptz
);
CREATE UNIQUE INDEX raw_evidence_once ON raw_evidence (source, event_id) WHERE door = 'amqp' AND event_id IS NOT NULL;
CREATE INDEX raw_evidence_open ON raw_evidence (received_at) WHERE state IN ('waiting', 'retrying', 'parked', 'dead');
CREATE INDEX raw_evidence_open_notice ON raw_evidence (notice_id) WHERE state IN ('waiting', 'retrying', 'parked', 'dead');
CREATE INDEX raw_evidence_notice ON raw_evidence (notice_id) WHERE notice_id IS NOT NULL;

-- Timed marks that came through the evidence queue in order.
CREATE TABLE mark (
    mark_id      uuid PRIMARY KEY,
    sent_at      timestamptz NOT NULL,
    committed_at timestamptz NOT NULL
);
CREATE INDEX mark_sent ON mark (sent_at DESC);

-- Items that are done or refused, so that replaying is idempotent.
CREATE TABLE processed (
    consumer  text NOT NULL,
    source    text NOT NULL,
    event_id  text NOT NULL,
    subject   uuid NOT NULL,
    outcome   text NOT NULL CHECK (outcome IN ('done', 'refused')),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (event_id, subject, source, consumer)
);

-- Items that failed: waiting for their next attempt, or dead.
CREATE TABLE failed_item (
    failed_id   uuid PRIMARY KEY,
    worker      text NOT NULL,
    state       text NOT NULL CHECK (state IN ('retry', 'dead', 'replaying', 'resolved', 'discarded')),
    source      text NOT NULL,
    event_id    text NOT NULL,
    type        text NOT NULL,
    subject     uuid NOT NULL,
    notice_id   uuid,
    evidence_id uuid,
    routing_key text NOT NULL,
    content_type text NOT NULL,
    headers     jsonb NOT NULL,
    body        bytea NOT NULL,
    reason      text NOT NULL,
    attempts    integer NOT NULL,
    begun       integer NOT NULL DEFAULT 0, -- how often a worker began anew with its retry, alone, after another had died
    history     jsonb NOT NULL,
    next_at     timestamptz,
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    UNIQUE (event_id, subject, source, worker),
    CONSTRAINT retry_is_dated CHECK ((state = 'retry') = (next_at IS NOT NULL))
);
CREATE INDEX failed_item_due ON failed_item (next_at) WHERE state = 'retry';
CREATE INDEX failed_item_open ON failed_item (created_at) WHERE state IN ('retry', 'dead', 'replaying');

-- What persons did with a failed item: replayed, mended, discarded; kept for ever.
CREATE TABLE failed_item_action (
    action_id uuid PRIMARY KEY,
    failed_id uuid NOT NULL REFERENCES failed_item,
    at        timestamptz NOT NULL,
    actor     text NOT NULL,
    action    text NOT NULL CHECK (action IN ('replay', 'mend', 'discard')),
    reason    text NOT NULL,
    body_before bytea
);
CREATE INDEX failed_item_action_item ON failed_item_action (failed_id);

-- What is still to be told: written with the fact, published after the commit, in order per notice.
CREATE TABLE outbox (
    outbox_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notice_id  uuid,
    type       text NOT NULL,
    body       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at    timestamptz
);
CREATE INDEX outbox_unsent ON outbox (notice_id, outbox_id) WHERE sent_at IS NULL;

-- Daily roots of the chains that moved.
CREATE TABLE chain_root (
    day    date PRIMARY KEY,
    chains integer NOT NULL,
    root   bytea NOT NULL,
    heads  bytea NOT NULL,
    made_at timestamptz NOT NULL
);
