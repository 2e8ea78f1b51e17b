-- What persons decide about proposed sanctions: one declined, a batch released from the brake or rejected; and every change
-- of a brake, kept.

-- Every change of a brake, in order, whoever made it and with whatever program. `kind` is null for the brake on all mail.
-- `cap_per_hour` is what a change of the cap set; null: what the regime says.
CREATE TABLE brake_change (
    change_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text,
    change       text NOT NULL CHECK (change IN ('stopped', 'released', 'capped')),
    cap_per_hour integer,
    changed_by   text NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason       text NOT NULL
);
CREATE INDEX brake_change_of_kind ON brake_change (kind, change_id);
CREATE TRIGGER brake_change_append_only BEFORE UPDATE OR DELETE ON brake_change
    FOR EACH ROW EXECUTE FUNCTION guard_append_only();
CREATE TRIGGER brake_change_never_emptied BEFORE TRUNCATE ON brake_change EXECUTE FUNCTION guard_append_only();

INSERT INTO brake_change (kind, change, cap_per_hour, changed_by, changed_at, reason)
SELECT kind, CASE WHEN stopped THEN 'stopped' WHEN cap_per_hour IS NOT NULL THEN 'capped' ELSE 'released' END, cap_per_hour,
       changed_by, changed_at, reason
FROM brake WHERE stopped OR cap_per_hour IS NOT NULL OR changed_by <> 'duly';

-- With the owner's rights, so that nobody else may write this history. The trigger fires for the statement that names the
-- column, also when its value stays: who throws the switch again has thrown it.
CREATE FUNCTION keep_brake_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO brake_change (kind, change, cap_per_hour, changed_by, reason)
    VALUES (NEW.kind, CASE WHEN TG_ARGV[0] = 'cap' THEN 'capped' WHEN NEW.stopped THEN 'stopped' ELSE 'released' END,
            CASE WHEN TG_ARGV[0] = 'cap' THEN NEW.cap_per_hour END, NEW.changed_by, NEW.reason);
    RETURN NULL;
END $$;
CREATE TRIGGER brake_switched AFTER UPDATE OF stopped ON brake FOR EACH ROW EXECUTE FUNCTION keep_brake_change('switch');
CREATE TRIGGER brake_capped AFTER UPDATE OF cap_per_hour ON brake FOR EACH ROW EXECUTE FUNCTION keep_brake_change('cap');
CREATE TRIGGER brake_first_switched AFTER INSERT ON brake FOR EACH ROW WHEN (NEW.stopped)
    EXECUTE FUNCTION keep_brake_change('switch');
CREATE TRIGGER brake_first_capped AFTER INSERT ON brake FOR EACH ROW WHEN (NEW.cap_per_hour IS NOT NULL)
    EXECUTE FUNCTION keep_brake_change('cap');

CREATE FUNCTION keep_sending_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO brake_change (change, changed_by, reason)
    VALUES (CASE WHEN NEW.on_since IS NULL THEN 'released' ELSE 'stopped' END, coalesce(NEW.changed_by, 'duly'),
            coalesce(NEW.reason, ''));
    RETURN NULL;
END $$;
CREATE TRIGGER sending_switched AFTER UPDATE OF on_since ON sending_brake FOR EACH ROW EXECUTE FUNCTION keep_sending_change();

-- What the brake alone holds of one kind, put before a person as one batch; at most one open batch a kind. Times are wall
-- time. A random sample of its items is judged before it is released.
CREATE TABLE brake_batch (
    batch_id       uuid PRIMARY KEY,
    kind           text NOT NULL,
    state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'released', 'rejected')),
    total          integer NOT NULL CHECK (total > 0),
    made_by        text NOT NULL,
    made_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_reason    text NOT NULL,
    decided_by     text,
    decided_at     timestamptz,
    decided_reason text,
    CONSTRAINT decided_by_name CHECK ((state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)
                                      AND (state = 'open') = (decided_reason IS NULL))
);
CREATE UNIQUE INDEX brake_batch_open ON brake_batch (kind) WHERE state = 'open';

CREATE TABLE brake_batch_item (
    batch_id    uuid NOT NULL REFERENCES brake_batch (batch_id),
    number      integer NOT NULL CHECK (number > 0),
    sanction_id uuid NOT NULL REFERENCES sanction (sanction_id),
    notice_id   uuid NOT NULL REFERENCES notice (notice_id),
    sampled     boolean NOT NULL,
    PRIMARY KEY (batch_id, number),
    UNIQUE (batch_id, sanction_id)
);
CREATE INDEX brake_batch_item_sanction ON brake_batch_item (sanction_id);
CREATE TRIGGER brake_batch_item_append_only BEFORE UPDATE OR DELETE ON brake_batch_item
    FOR EACH ROW EXECUTE FUNCTION guard_append_only();
CREATE TRIGGER brake_batch_item_never_emptied BEFORE TRUNCATE ON brake_batch_item EXECUTE FUNCTION guard_append_only();

-- What persons found in the sample; the last judgement of an item counts, the earlier ones stay.
CREATE TABLE brake_judgement (
    judgement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id     uuid NOT NULL,
    number       integer NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('right', 'wrong')),
    judged_by    text NOT NULL,
    judged_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    note         text NOT NULL,
    FOREIGN KEY (batch_id, number) REFERENCES brake_batch_item (batch_id, number)
);
CREATE INDEX brake_judgement_of_item ON brake_judgement (batch_id, number, judgement_id);
CREATE TRIGGER brake_judgement_append_only BEFORE UPDATE OR DELETE ON brake_judgement
    FOR EACH ROW EXECUTE FUNCTION guard_append_only();
CREATE TRIGGER brake_judgement_never_emptied BEFORE TRUNCATE ON brake_judgement EXECUTE FUNCTION guard_append_only();

-- A person's last word about one proposed sanction, which the gate reads. `seen_change`: the newest change of the brake when
-- a release was given, read under the brake's lock; a later throwing of the switch stops what was released before it.
CREATE TABLE sanction_word (
    sanction_id uuid PRIMARY KEY REFERENCES sanction (sanction_id),
    word        text NOT NULL CHECK (word IN ('release', 'decline')),
    batch_id    uuid REFERENCES brake_batch (batch_id),
    said_by     text NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason      text NOT NULL,
    seen_change bigint NOT NULL DEFAULT 0
);

-- A declined sanction never fires, also not by a worker that does not know of declining. With the owner's rights: the
-- workers of before may not read the words.
CREATE FUNCTION guard_declined() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM sanction_word w WHERE w.sanction_id = NEW.sanction_id AND w.word = 'decline') THEN
        RAISE EXCEPTION 'sanction % cannot fire: it was declined', NEW.sanction_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sanction_not_declined BEFORE UPDATE OF state ON sanction
    FOR EACH ROW WHEN (NEW.state = 'fired' AND OLD.state <> 'fired') EXECUTE FUNCTION guard_declined();
