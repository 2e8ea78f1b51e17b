-- What no worker may get wrong, held by the database as well.

-- S10: states move only along the table in services/kernel/domain/notice.py; a test compares the two.
CREATE FUNCTION guard_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.state, NEW.state) IN (
        ('accepted', 'rendered'), ('rendered', 'served'), ('served', 'satisfied'), ('lapsed', 'satisfied'),
        ('served', 'lapsed'), ('lapsed', 'closed'), ('lapsed', 'sanctioned'),
        ('rendered', 'unserved'), ('served', 'unserved'), ('lapsed', 'unserved'), ('sanctioned', 'unserved'),
        ('accepted', 'withdrawn'), ('rendered', 'withdrawn'), ('served', 'withdrawn'), ('satisfied', 'withdrawn'),
        ('lapsed', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'notice % cannot go from % to %', OLD.notice_id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notice_state BEFORE UPDATE OF state ON notice
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_state();

-- S10: evidence is append-only.
CREATE FUNCTION guard_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER notice_event_append_only BEFORE UPDATE OR DELETE ON notice_event
    FOR EACH ROW EXECUTE FUNCTION guard_append_only();
CREATE TRIGGER notice_event_never_emptied BEFORE TRUNCATE ON notice_event EXECUTE FUNCTION guard_append_only();

-- S1: a sanction fires only on a lapsed notice.
CREATE FUNCTION guard_sanction() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE standing text;
BEGIN
    SELECT state INTO standing FROM notice WHERE notice_id = NEW.notice_id;
    IF standing <> 'lapsed' THEN
        RAISE EXCEPTION 'sanction % cannot fire: notice % is %', NEW.sanction_id, NEW.notice_id, standing
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sanction_needs_lapsed_insert BEFORE INSERT ON sanction
    FOR EACH ROW WHEN (NEW.state = 'fired') EXECUTE FUNCTION guard_sanction();
CREATE TRIGGER sanction_needs_lapsed_update BEFORE UPDATE OF state ON sanction
    FOR EACH ROW WHEN (NEW.state = 'fired' AND OLD.state <> 'fired') EXECUTE FUNCTION guard_sanction();

-- L1: from our first insert, accepted = terminal + in flight + dead-lettered with a reason.
CREATE VIEW conservation AS
SELECT count(*) AS accepted,
       count(*) FILTER (WHERE place = 'terminal') AS terminal,
       count(*) FILTER (WHERE place = 'in flight') AS in_flight,
       count(*) FILTER (WHERE place = 'dead') AS dead,
       count(*) FILTER (WHERE place = 'lost') AS lost
FROM (
    SELECT CASE
        WHEN n.state IN ('satisfied', 'closed', 'sanctioned', 'unserved', 'withdrawn') THEN 'terminal'
        WHEN n.state = 'served' AND n.deadline_at IS NULL THEN 'terminal'
        WHEN EXISTS (SELECT FROM failed_item f WHERE f.notice_id = n.notice_id AND f.state = 'dead' AND f.reason <> '') THEN 'dead'
        WHEN n.state IN ('accepted', 'rendered') THEN 'in flight'  -- relay's rescue reads just these
        WHEN n.state = 'served' AND EXISTS (SELECT FROM deadline d WHERE d.notice_id = n.notice_id
             AND d.version = n.deadline_version AND d.passed_at IS NULL) THEN 'in flight'
        WHEN n.state = 'lapsed' AND EXISTS (SELECT FROM gate_wait w WHERE w.notice_id = n.notice_id) THEN 'in flight'
        ELSE 'lost'
    END AS place
    FROM notice n
) AS placed;
