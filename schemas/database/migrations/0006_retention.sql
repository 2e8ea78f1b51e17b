-- Retention: content is erased when its time is over. What it was stays known by its SHA-256, and the chain says when,
-- by which policy and why. `erased_at` is legal time, null while the content is there. New checks are not held against
-- old rows: none of them is erased, and reading them all would stop the workers that run meanwhile.
ALTER TABLE notice_content ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR (request = '{}' AND subject = '' AND body_text = ''
                                                                AND body_html = '')) NOT VALID;
-- `data_hash`: over the data of an event of upstream's, so that one that comes again can still be compared.
ALTER TABLE raw_evidence ADD COLUMN erased_at timestamptz, ADD COLUMN body_sha256 bytea, ADD COLUMN data_hash bytea,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR (body = '' AND headers = '{}' AND body_sha256 IS NOT NULL
        AND state IN ('processed', 'refused', 'cleared'))) NOT VALID;
ALTER TABLE callback_batch ADD COLUMN erased_at timestamptz, ADD COLUMN body_sha256 bytea,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR (body = '' AND headers = '{}' AND body_sha256 IS NOT NULL))
        NOT VALID;
ALTER TABLE intake_event ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR body = '') NOT VALID;
ALTER TABLE upload ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR shown_name = '') NOT VALID;
ALTER TABLE failed_item ADD COLUMN erased_at timestamptz, ADD COLUMN body_sha256 bytea,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR (body = '' AND headers = '{}' AND body_sha256 IS NOT NULL
        AND state IN ('resolved', 'discarded'))) NOT VALID;
ALTER TABLE failed_item_edit ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT erased_is_empty CHECK (erased_at IS NULL OR (body = '' AND body_before = '' AND headers = '{}'
        AND state <> 'proposed')) NOT VALID;
-- What upstream was told keeps its envelope; its data go.
ALTER TABLE outbox ADD COLUMN erased_at timestamptz, ADD COLUMN body_sha256 bytea,
    ADD CONSTRAINT erased_was_sent CHECK (erased_at IS NULL OR (sent_at IS NOT NULL AND body_sha256 IS NOT NULL)) NOT VALID;

-- How what names no notice is found when its time is over; how requests are found by what they asked for.
CREATE INDEX intake_event_data ON intake_event (source, data_hash);
CREATE INDEX intake_event_kept ON intake_event (received_at) WHERE erased_at IS NULL;
CREATE INDEX raw_evidence_kept ON raw_evidence (received_at) WHERE erased_at IS NULL;
CREATE INDEX callback_batch_kept ON callback_batch (received_at) WHERE erased_at IS NULL;
CREATE INDEX outbox_nameless ON outbox (created_at) WHERE notice_id IS NULL AND source IS NOT NULL AND erased_at IS NULL;
CREATE INDEX outbox_carried ON outbox (created_at) WHERE notice_id IS NULL AND source IS NULL AND erased_at IS NULL
    AND type IN ('notice.requested.v1', 'obligation.satisfied.v1', 'response.reported.v1', 'withdrawal.requested.v1',
                 'sanction.objected.v1');
CREATE INDEX failed_item_notice ON failed_item (notice_id) WHERE notice_id IS NOT NULL;
CREATE INDEX failed_item_kept ON failed_item (created_at) WHERE state IN ('resolved', 'discarded') AND erased_at IS NULL;

-- Evidence is what it was, or erased; nothing between.
CREATE FUNCTION guard_only_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.erased_at IS NULL OR OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'what % took in is never changed, only erased', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER raw_evidence_only_erased BEFORE UPDATE OF body, headers, body_sha256, data_hash, erased_at ON raw_evidence
    FOR EACH ROW WHEN (OLD.state <> 'receiving') EXECUTE FUNCTION guard_only_erased();
CREATE TRIGGER callback_batch_only_erased BEFORE UPDATE ON callback_batch
    FOR EACH ROW EXECUTE FUNCTION guard_only_erased();
CREATE TRIGGER intake_event_only_erased BEFORE UPDATE ON intake_event
    FOR EACH ROW EXECUTE FUNCTION guard_only_erased();

-- Nothing of a notice is erased but with the fact in its chain, in the same transaction and of the same instant.
CREATE FUNCTION guard_erasure_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM notice n WHERE n.notice_id = NEW.notice_id) -- evidence may name one that never was
       AND NOT EXISTS (SELECT FROM notice_event e WHERE e.notice_id = NEW.notice_id AND e.kind = 'content.erased'
                       AND e.at = NEW.erased_at) THEN
        RAISE EXCEPTION 'content of notice % is erased, and its chain does not say so', NEW.notice_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER notice_content_erasure_told AFTER UPDATE OF erased_at ON notice_content
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION guard_erasure_told();
CREATE CONSTRAINT TRIGGER raw_evidence_erasure_told AFTER UPDATE OF erased_at ON raw_evidence
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL AND NEW.notice_id IS NOT NULL)
    EXECUTE FUNCTION guard_erasure_told();
CREATE CONSTRAINT TRIGGER upload_erasure_told AFTER UPDATE OF erased_at ON upload
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION guard_erasure_told();

-- What stops erasing: on a notice, on a matter, or on all of a business; placed and lifted by name with a reason.
CREATE TABLE legal_hold (
    legal_hold_id uuid PRIMARY KEY,
    notice_id     uuid REFERENCES notice,
    regime        text,
    matter        text,
    business_id   text,
    reason        text NOT NULL,
    placed_by     text NOT NULL,
    placed_at     timestamptz NOT NULL,
    lifted_by     text,
    lifted_at     timestamptz,
    lift_reason   text,
    CONSTRAINT on_one_thing CHECK (num_nonnulls(notice_id, matter, business_id) = 1
                                   AND (regime IS NULL) = (matter IS NULL)),
    CONSTRAINT lifted_by_name CHECK ((lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL))
);
CREATE INDEX legal_hold_open ON legal_hold (placed_at) WHERE lifted_at IS NULL;

-- When the content of a notice is looked at (again), and why it was kept the last time. `look_again_at` and
-- `erased_at` are legal time, `looked_at` wall time. `kept_until` is the last local day of its period, once it has
-- ended. `kept_for` has the reasons beside the period. `asked_*`: a named person asks to erase before the period is over.
CREATE TABLE retention (
    notice_id     uuid PRIMARY KEY REFERENCES notice,
    look_again_at timestamptz NOT NULL,
    looked_at     timestamptz,
    kept_until    date,
    kept_for      text[] NOT NULL DEFAULT '{}',
    asked_by      text,
    asked_reason  text,
    asked_at      timestamptz,
    erased_at     timestamptz,
    CONSTRAINT asked_by_name CHECK ((asked_at IS NULL) = (asked_by IS NULL) AND (asked_at IS NULL) = (asked_reason IS NULL))
);
CREATE INDEX access_record_export ON access_record (access_id) WHERE act = 'subject.export';
CREATE INDEX retention_due ON retention (look_again_at);
CREATE INDEX retention_kept ON retention (notice_id) WHERE kept_for <> '{}';
