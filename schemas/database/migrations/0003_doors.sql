-- The doors: callbacks of mail providers, mail, HTTP for upstreams, webhooks to them, and the recipient's secure inbox.

-- Raw evidence from every door. `receiving`: an answer whose first byte has come, and that is not complete yet.
ALTER TABLE raw_evidence
    DROP CONSTRAINT raw_evidence_door_check,
    ADD CONSTRAINT raw_evidence_door_check CHECK (door IN ('amqp', 'http', 'mail', 'callback', 'inbox', 'cli')),
    DROP CONSTRAINT raw_evidence_state_check,
    ADD CONSTRAINT raw_evidence_state_check CHECK (state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead', 'processed',
                                                             'refused', 'cleared'));
DROP INDEX raw_evidence_once;
CREATE UNIQUE INDEX raw_evidence_once ON raw_evidence (source, event_id, (door = 'callback')) -- a provider is no upstream
    WHERE door IN ('amqp', 'http', 'callback') AND event_id IS NOT NULL;
DROP INDEX raw_evidence_open;
CREATE INDEX raw_evidence_open ON raw_evidence (received_at) WHERE state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead');
DROP INDEX raw_evidence_open_notice;
CREATE INDEX raw_evidence_open_notice ON raw_evidence (notice_id)
    WHERE state IN ('receiving', 'waiting', 'retrying', 'parked', 'dead');

-- A callback that carried many events, whole, as its signature was made over it. Its events are raw evidence, one each.
CREATE TABLE callback_batch (
    batch_id    uuid PRIMARY KEY,
    provider    text NOT NULL,
    received_at timestamptz NOT NULL,
    headers     jsonb NOT NULL,
    body        bytea NOT NULL
);

-- What upstreams sent over HTTP. The same (source, event_id) with the same content gets the same answer; with other
-- content it is refused.
CREATE TABLE intake_event (
    source      text NOT NULL,
    event_id    text NOT NULL,
    type        text NOT NULL,
    data_hash   bytea NOT NULL,
    body        bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (source, event_id)
);

-- Upstreams that are told by webhook because they cannot consume AMQP. The secrets are the workers' settings.
CREATE TABLE webhook (
    source   text PRIMARY KEY,
    url      text NOT NULL,
    added_by text NOT NULL,
    added_at timestamptz NOT NULL
);
ALTER TABLE outbox ADD COLUMN source text; -- whom the event is for; null for what workers tell each other
CREATE INDEX outbox_told ON outbox (notice_id) WHERE source IS NOT NULL; -- what an upstream was told of a notice

-- Events that an upstream must be told by webhook; written with the outbox row. Times are wall time. `due_at`: when
-- `relay` looks at it (again), null once it has failed: then its failed item says when. `handed_at`: set while it is with
-- the worker. `claimed_until`: a worker is posting it.
CREATE TABLE webhook_delivery (
    outbox_id     bigint PRIMARY KEY,
    source        text NOT NULL,
    notice_id     uuid,
    due_at        timestamptz DEFAULT clock_timestamp(),
    handed_at     timestamptz,
    claimed_until timestamptz,
    delivered_at  timestamptz
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (source, due_at) WHERE delivered_at IS NULL;
CREATE INDEX webhook_delivery_out ON webhook_delivery (source) WHERE delivered_at IS NULL AND handed_at IS NOT NULL;
CREATE INDEX webhook_delivery_notice ON webhook_delivery (notice_id, outbox_id) WHERE delivered_at IS NULL;
CREATE INDEX failed_item_unresolved_subject ON failed_item (subject) WHERE state <> 'resolved';

-- Who viewed a notice first; set once, with the fact in its evidence.
ALTER TABLE notice_content ADD COLUMN first_viewed_by text,
    ADD CONSTRAINT viewed_by_somebody CHECK ((first_viewed_at IS NULL) = (first_viewed_by IS NULL));
CREATE INDEX notice_business ON notice (business_id, notice_id DESC);

-- A file that came with an answer, in parts, so that no process holds it whole. `digest` and `size` when complete.
CREATE TABLE upload (
    upload_id   uuid PRIMARY KEY,
    evidence_id uuid NOT NULL REFERENCES raw_evidence,
    notice_id   uuid NOT NULL REFERENCES notice,
    number      integer NOT NULL CHECK (number > 0),
    shown_name  text NOT NULL,
    media_type  text NOT NULL,
    size        bigint,
    digest      bytea,
    UNIQUE (evidence_id, number),
    CONSTRAINT complete_at_once CHECK ((size IS NULL) = (digest IS NULL))
);
CREATE INDEX upload_notice ON upload (notice_id);
CREATE TABLE upload_part (
    upload_id uuid NOT NULL REFERENCES upload,
    number    integer NOT NULL,
    bytes     bytea NOT NULL,
    PRIMARY KEY (upload_id, number)
);

-- Sign-ins that are under way at the provider; the browser holds the other half. Times are wall time.
CREATE TABLE sign_in (
    state_hash bytea PRIMARY KEY,
    nonce      text NOT NULL,
    verifier   text NOT NULL,
    go_to      text NOT NULL,
    language   text NOT NULL,
    began_at   timestamptz NOT NULL
);

-- Sessions of people. The cookie's hash alone is kept: who reads this table can sign in as nobody. Times are wall time.
CREATE TABLE web_session (
    token_hash  bytea PRIMARY KEY,
    site        text NOT NULL CHECK (site IN ('inbox', 'console')),
    person      text NOT NULL,
    shown_name  text NOT NULL,
    businesses  jsonb NOT NULL,
    business_id text,
    language    text NOT NULL,
    csrf        text NOT NULL,
    id_token    text NOT NULL DEFAULT '',
    began_at    timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL
);
CREATE INDEX web_session_ends ON web_session (ends_at);

-- Every sign-in, sign-out, view and answer, allowed or not; append-only.
CREATE TABLE access_record (
    access_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    site        text NOT NULL,
    person      text NOT NULL,
    act         text NOT NULL,
    allowed     boolean NOT NULL,
    business_id text,
    notice_id   uuid,
    detail      text NOT NULL DEFAULT ''
);
CREATE INDEX access_record_notice ON access_record (notice_id) WHERE notice_id IS NOT NULL;
CREATE TRIGGER access_record_append_only BEFORE UPDATE OR DELETE ON access_record
    FOR EACH ROW EXECUTE FUNCTION guard_append_only();
CREATE TRIGGER access_record_never_emptied BEFORE TRUNCATE ON access_record EXECUTE FUNCTION guard_append_only();

-- When the secure inbox was up, in legal time; what lies between two rows it was down. `beat_at` is wall time: a gap is
-- found by it alone, so that a trial's clock that jumps is no outage.
CREATE TABLE inbox_up (
    from_at  timestamptz PRIMARY KEY,
    until_at timestamptz NOT NULL,
    beat_at  timestamptz NOT NULL,
    CHECK (until_at >= from_at)
);
