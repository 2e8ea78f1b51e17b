-- The schema after all migrations, as pg_dump of PostgreSQL 18 tells it. To write it anew:
-- DULY_UPDATE_SNAPSHOT=1 pytest tests/ports/test_database_snapshot.py

CREATE FUNCTION public.failure_cause(reason text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
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

CREATE FUNCTION public.guard_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION public.guard_declined() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM sanction_word w WHERE w.sanction_id = NEW.sanction_id AND w.word = 'decline') THEN
        RAISE EXCEPTION 'sanction % cannot fire: it was declined', NEW.sanction_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.guard_erasure_told() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM notice n WHERE n.notice_id = NEW.notice_id) -- evidence may name one that never was
       AND NOT EXISTS (SELECT FROM notice_event e WHERE e.notice_id = NEW.notice_id AND e.kind = 'content.erased'
                       AND e.at = NEW.erased_at) THEN
        RAISE EXCEPTION 'content of notice % is erased, and its chain does not say so', NEW.notice_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.guard_only_erased() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.erased_at IS NULL OR OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'what % took in is never changed, only erased', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.guard_sanction() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE standing text;
BEGIN
    SELECT state INTO standing FROM notice WHERE notice_id = NEW.notice_id;
    IF standing <> 'lapsed' THEN
        RAISE EXCEPTION 'sanction % cannot fire: notice % is %', NEW.sanction_id, NEW.notice_id, standing
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.guard_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.is_trial() RETURNS boolean
    LANGUAGE sql STABLE
    AS $$ SELECT false $$;

CREATE FUNCTION public.keep_brake_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO brake_change (kind, change, cap_per_hour, changed_by, reason)
    VALUES (NEW.kind, CASE WHEN TG_ARGV[0] = 'cap' THEN 'capped' WHEN NEW.stopped THEN 'stopped' ELSE 'released' END,
            CASE WHEN TG_ARGV[0] = 'cap' THEN NEW.cap_per_hour END, NEW.changed_by, NEW.reason);
    RETURN NULL;
END $$;

CREATE FUNCTION public.keep_sending_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO brake_change (change, changed_by, reason)
    VALUES (CASE WHEN NEW.on_since IS NULL THEN 'released' ELSE 'stopped' END, coalesce(NEW.changed_by, 'duly'),
            coalesce(NEW.reason, ''));
    RETURN NULL;
END $$;

CREATE FUNCTION public.legal_now() RETURNS timestamp with time zone
    LANGUAGE sql
    AS $$ SELECT clock_timestamp() $$;

CREATE TABLE public.access_record (
    access_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    site text NOT NULL,
    person text NOT NULL,
    act text NOT NULL,
    allowed boolean NOT NULL,
    business_id text,
    notice_id uuid,
    detail text DEFAULT ''::text NOT NULL
);

ALTER TABLE public.access_record ALTER COLUMN access_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.access_record_access_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.attempt (
    attempt_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    number integer NOT NULL,
    kind text NOT NULL,
    address text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    retry_at timestamp with time zone,
    phase text,
    code integer,
    enhanced text,
    reply text,
    CONSTRAINT attempt_kind_check CHECK ((kind = ANY (ARRAY['alert'::text, 'reminder'::text]))),
    CONSTRAINT attempt_number_check CHECK ((number > 0)),
    CONSTRAINT attempt_state_check CHECK ((state = ANY (ARRAY['sending'::text, 'accepted'::text, 'refused'::text, 'later'::text, 'ours'::text, 'unknown'::text, 'abandoned'::text]))),
    CONSTRAINT settled_is_dated CHECK (((state = 'sending'::text) = (settled_at IS NULL)))
);

CREATE TABLE public.brake (
    kind text NOT NULL,
    stopped boolean DEFAULT false NOT NULL,
    cap_per_hour integer,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    CONSTRAINT brake_cap_per_hour_check CHECK ((cap_per_hour >= 0))
);

CREATE TABLE public.brake_batch (
    batch_id uuid NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    total integer NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    made_reason text NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    decided_reason text,
    CONSTRAINT brake_batch_state_check CHECK ((state = ANY (ARRAY['open'::text, 'released'::text, 'rejected'::text]))),
    CONSTRAINT brake_batch_total_check CHECK ((total > 0)),
    CONSTRAINT decided_by_name CHECK ((((state = 'open'::text) = (decided_by IS NULL)) AND ((state = 'open'::text) = (decided_at IS NULL)) AND ((state = 'open'::text) = (decided_reason IS NULL))))
);

CREATE TABLE public.brake_batch_item (
    batch_id uuid NOT NULL,
    number integer NOT NULL,
    sanction_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    sampled boolean NOT NULL,
    CONSTRAINT brake_batch_item_number_check CHECK ((number > 0))
);

CREATE TABLE public.brake_change (
    change_id bigint NOT NULL,
    kind text,
    change text NOT NULL,
    cap_per_hour integer,
    changed_by text NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reason text NOT NULL,
    CONSTRAINT brake_change_change_check CHECK ((change = ANY (ARRAY['stopped'::text, 'released'::text, 'capped'::text])))
);

ALTER TABLE public.brake_change ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.brake_change_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.brake_judgement (
    judgement_id bigint NOT NULL,
    batch_id uuid NOT NULL,
    number integer NOT NULL,
    verdict text NOT NULL,
    judged_by text NOT NULL,
    judged_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    note text NOT NULL,
    CONSTRAINT brake_judgement_verdict_check CHECK ((verdict = ANY (ARRAY['right'::text, 'wrong'::text])))
);

ALTER TABLE public.brake_judgement ALTER COLUMN judgement_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.brake_judgement_judgement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.callback_batch (
    batch_id uuid NOT NULL,
    provider text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    erased_at timestamp with time zone,
    body_sha256 bytea
);

CREATE TABLE public.chain_root (
    day date NOT NULL,
    chains integer NOT NULL,
    root bytea NOT NULL,
    heads bytea NOT NULL,
    made_at timestamp with time zone NOT NULL
);

CREATE TABLE public.deadline (
    notice_id uuid NOT NULL,
    version integer NOT NULL,
    deemed_on date NOT NULL,
    period_days integer NOT NULL,
    due_on date NOT NULL,
    due_at timestamp with time zone NOT NULL,
    zone text NOT NULL,
    rule text NOT NULL,
    calendar_version text NOT NULL,
    reason text,
    approver text,
    passed_at timestamp with time zone,
    CONSTRAINT deadline_period_days_check CHECK ((period_days > 0)),
    CONSTRAINT deadline_version_check CHECK ((version > 0)),
    CONSTRAINT never_early CHECK (((passed_at IS NULL) OR (passed_at >= due_at)))
);

CREATE TABLE public.failed_item (
    failed_id uuid NOT NULL,
    worker text NOT NULL,
    state text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject uuid NOT NULL,
    notice_id uuid,
    evidence_id uuid,
    routing_key text NOT NULL,
    content_type text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    begun integer DEFAULT 0 NOT NULL,
    history jsonb NOT NULL,
    next_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    cause text GENERATED ALWAYS AS (public.failure_cause(reason)) STORED NOT NULL,
    notice_type text,
    replays integer DEFAULT 0 NOT NULL,
    erased_at timestamp with time zone,
    body_sha256 bytea,
    CONSTRAINT failed_item_state_check CHECK ((state = ANY (ARRAY['retry'::text, 'dead'::text, 'replaying'::text, 'resolved'::text, 'discarded'::text]))),
    CONSTRAINT retry_is_dated CHECK (((state = 'retry'::text) = (next_at IS NOT NULL)))
);

CREATE TABLE public.gate_wait (
    notice_id uuid NOT NULL,
    version integer NOT NULL,
    look_again_at timestamp with time zone,
    looked_at timestamp with time zone NOT NULL,
    handed_at timestamp with time zone,
    waiting_for text[] DEFAULT '{}'::text[] NOT NULL
);

CREATE TABLE public.notice (
    notice_id uuid NOT NULL,
    source text NOT NULL,
    source_ref text NOT NULL,
    data_hash bytea NOT NULL,
    regime text NOT NULL,
    notice_type text NOT NULL,
    matter text NOT NULL,
    business_id text NOT NULL,
    channel text NOT NULL,
    origin text NOT NULL,
    language text NOT NULL,
    address text NOT NULL,
    template_version text NOT NULL,
    template_hash bytea NOT NULL,
    trial boolean NOT NULL,
    state text NOT NULL,
    seq integer NOT NULL,
    chain_head bytea NOT NULL,
    accepted_at timestamp with time zone NOT NULL,
    rendered_at timestamp with time zone,
    content_available_at timestamp with time zone,
    alert_accepted_at timestamp with time zone,
    served_at timestamp with time zone,
    deemed_on date,
    deadline_version integer,
    deadline_at timestamp with time zone,
    satisfied_at timestamp with time zone,
    lapsed_at timestamp with time zone,
    closed_at timestamp with time zone,
    sanctioned_at timestamp with time zone,
    unserved_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    asked_days integer,
    asked_reason text,
    asked_approver text,
    respond_by date,
    told integer DEFAULT 0 NOT NULL,
    CONSTRAINT closed_is_dated CHECK (((state = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT deadline_has_a_version CHECK (((deadline_at IS NULL) = (deadline_version IS NULL))),
    CONSTRAINT lapsed_had_a_deadline CHECK (((lapsed_at IS NULL) OR ((deadline_at IS NOT NULL) AND (lapsed_at >= deadline_at)))),
    CONSTRAINT lapsed_is_dated CHECK (((state <> ALL (ARRAY['lapsed'::text, 'closed'::text, 'sanctioned'::text])) OR (lapsed_at IS NOT NULL))),
    CONSTRAINT notice_asked_days_check CHECK ((asked_days > 0)),
    CONSTRAINT notice_channel_check CHECK ((channel = ANY (ARRAY['secure_comm'::text, 'letter'::text, 'fax'::text, 'email'::text]))),
    CONSTRAINT notice_origin_check CHECK ((origin = ANY (ARRAY['automatic'::text, 'manual'::text]))),
    CONSTRAINT notice_seq_check CHECK ((seq > 0)),
    CONSTRAINT notice_state_check CHECK ((state = ANY (ARRAY['accepted'::text, 'rendered'::text, 'served'::text, 'satisfied'::text, 'lapsed'::text, 'closed'::text, 'sanctioned'::text, 'unserved'::text, 'withdrawn'::text]))),
    CONSTRAINT notice_told_check CHECK ((told >= 0)),
    CONSTRAINT rendered_is_dated CHECK (((state = 'accepted'::text) OR (rendered_at IS NOT NULL) OR (state = 'withdrawn'::text))),
    CONSTRAINT sanctioned_is_dated CHECK (((state <> 'sanctioned'::text) OR (sanctioned_at IS NOT NULL))),
    CONSTRAINT satisfied_is_dated CHECK (((state <> 'satisfied'::text) OR (satisfied_at IS NOT NULL))),
    CONSTRAINT served_is_dated CHECK (((state <> ALL (ARRAY['served'::text, 'satisfied'::text, 'lapsed'::text, 'closed'::text, 'sanctioned'::text])) OR ((served_at IS NOT NULL) AND (deemed_on IS NOT NULL)))),
    CONSTRAINT served_needs_both_facts CHECK (((served_at IS NULL) OR (channel <> 'secure_comm'::text) OR ((content_available_at IS NOT NULL) AND (alert_accepted_at IS NOT NULL)))),
    CONSTRAINT shorter_is_approved CHECK ((((asked_days IS NULL) = (asked_reason IS NULL)) AND ((asked_days IS NULL) = (asked_approver IS NULL)))),
    CONSTRAINT unserved_is_dated CHECK (((state = 'unserved'::text) = (unserved_at IS NOT NULL))),
    CONSTRAINT withdrawn_is_dated CHECK (((state = 'withdrawn'::text) = (withdrawn_at IS NOT NULL)))
);

CREATE VIEW public.conservation AS
 SELECT count(*) AS accepted,
    count(*) FILTER (WHERE (place = 'terminal'::text)) AS terminal,
    count(*) FILTER (WHERE (place = 'in flight'::text)) AS in_flight,
    count(*) FILTER (WHERE (place = 'dead'::text)) AS dead,
    count(*) FILTER (WHERE (place = 'lost'::text)) AS lost
   FROM ( SELECT
                CASE
                    WHEN (n.state = ANY (ARRAY['satisfied'::text, 'closed'::text, 'sanctioned'::text, 'unserved'::text, 'withdrawn'::text])) THEN 'terminal'::text
                    WHEN ((n.state = 'served'::text) AND (n.deadline_at IS NULL)) THEN 'terminal'::text
                    WHEN (EXISTS ( SELECT
                       FROM public.failed_item f
                      WHERE ((f.notice_id = n.notice_id) AND (f.state = 'dead'::text) AND (f.reason <> ''::text)))) THEN 'dead'::text
                    WHEN (n.state = ANY (ARRAY['accepted'::text, 'rendered'::text])) THEN 'in flight'::text
                    WHEN ((n.state = 'served'::text) AND (EXISTS ( SELECT
                       FROM public.deadline d
                      WHERE ((d.notice_id = n.notice_id) AND (d.version = n.deadline_version) AND (d.passed_at IS NULL))))) THEN 'in flight'::text
                    WHEN ((n.state = 'lapsed'::text) AND (EXISTS ( SELECT
                       FROM public.gate_wait w
                      WHERE (w.notice_id = n.notice_id)))) THEN 'in flight'::text
                    ELSE 'lost'::text
                END AS place
           FROM public.notice n) placed;

CREATE TABLE public.failed_item_action (
    action_id uuid NOT NULL,
    failed_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    body_before bytea,
    run_id uuid,
    CONSTRAINT failed_item_action_action_check CHECK ((action = ANY (ARRAY['replay'::text, 'mend'::text, 'discard'::text, 'restore'::text, 'note'::text, 'hurry'::text, 'stop'::text, 'propose'::text, 'reject'::text, 'overtake'::text])))
);

CREATE TABLE public.failed_item_edit (
    edit_id uuid NOT NULL,
    failed_id uuid NOT NULL,
    state text NOT NULL,
    raw boolean NOT NULL,
    body_before bytea NOT NULL,
    body bytea NOT NULL,
    content_type text NOT NULL,
    headers jsonb NOT NULL,
    item_changed_at timestamp with time zone NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    decision_reason text,
    erased_at timestamp with time zone,
    CONSTRAINT decision_is_whole CHECK ((((state = 'proposed'::text) = (decided_at IS NULL)) AND ((decided_by IS NULL) = (decided_at IS NULL)) AND ((decided_by IS NULL) = (decision_reason IS NULL)))),
    CONSTRAINT failed_item_edit_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'approved'::text, 'rejected'::text, 'overtaken'::text]))),
    CONSTRAINT two_persons CHECK (((state <> 'approved'::text) OR (lower(btrim(decided_by)) <> lower(btrim(proposed_by)))))
);

CREATE TABLE public.hold (
    hold_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamp with time zone NOT NULL,
    lifted_by text,
    lifted_at timestamp with time zone,
    lift_reason text,
    CONSTRAINT hold_kind_check CHECK ((kind = ANY (ARRAY['delivery_doubt'::text, 'contested'::text, 'special_treatment'::text, 'late_response'::text, 'objection'::text, 'manual'::text]))),
    CONSTRAINT lifted_by_name CHECK ((((lifted_at IS NULL) = (lifted_by IS NULL)) AND ((lifted_at IS NULL) = (lift_reason IS NULL))))
);

CREATE TABLE public.inbox_up (
    from_at timestamp with time zone NOT NULL,
    until_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    CONSTRAINT inbox_up_check CHECK ((until_at >= from_at))
);

CREATE TABLE public.intake_event (
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    data_hash bytea NOT NULL,
    body bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    erased_at timestamp with time zone
);

CREATE TABLE public.legal_hold (
    legal_hold_id uuid NOT NULL,
    notice_id uuid,
    regime text,
    matter text,
    business_id text,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamp with time zone NOT NULL,
    lifted_by text,
    lifted_at timestamp with time zone,
    lift_reason text,
    CONSTRAINT lifted_by_name CHECK ((((lifted_at IS NULL) = (lifted_by IS NULL)) AND ((lifted_at IS NULL) = (lift_reason IS NULL)))),
    CONSTRAINT on_one_thing CHECK (((num_nonnulls(notice_id, matter, business_id) = 1) AND ((regime IS NULL) = (matter IS NULL))))
);

CREATE TABLE public.mark (
    mark_id uuid NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    committed_at timestamp with time zone NOT NULL
);

CREATE TABLE public.migration (
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.notice_content (
    notice_id uuid NOT NULL,
    request jsonb NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    content_hash bytea NOT NULL,
    first_viewed_at timestamp with time zone,
    first_viewed_by text,
    erased_at timestamp with time zone,
    CONSTRAINT viewed_by_somebody CHECK (((first_viewed_at IS NULL) = (first_viewed_by IS NULL)))
)
WITH (toast_tuple_target='8160');

CREATE TABLE public.notice_event (
    notice_id uuid NOT NULL,
    seq integer NOT NULL,
    kind text NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    data jsonb NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT notice_event_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.notice_trace (
    notice_id uuid NOT NULL,
    traceparent text NOT NULL,
    CONSTRAINT notice_trace_traceparent_check CHECK ((traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'::text))
);

CREATE TABLE public.outbox (
    outbox_id bigint NOT NULL,
    notice_id uuid,
    type text NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    sent_at timestamp with time zone,
    source text,
    erased_at timestamp with time zone,
    body_sha256 bytea
);

ALTER TABLE public.outbox ALTER COLUMN outbox_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.processed (
    consumer text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    subject uuid NOT NULL,
    outcome text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT processed_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text])))
);

CREATE TABLE public.raw_evidence (
    evidence_id uuid NOT NULL,
    door text NOT NULL,
    source text,
    event_id text,
    type text,
    received_at timestamp with time zone NOT NULL,
    content_type text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    notice_id uuid,
    source_ref text,
    attempt_id uuid,
    addresses text[] DEFAULT '{}'::text[] NOT NULL,
    state text NOT NULL,
    outcome text,
    looked_at timestamp with time zone,
    erased_at timestamp with time zone,
    body_sha256 bytea,
    data_hash bytea,
    CONSTRAINT raw_evidence_door_check CHECK ((door = ANY (ARRAY['amqp'::text, 'http'::text, 'mail'::text, 'callback'::text, 'inbox'::text, 'cli'::text]))),
    CONSTRAINT raw_evidence_state_check CHECK ((state = ANY (ARRAY['receiving'::text, 'waiting'::text, 'retrying'::text, 'parked'::text, 'dead'::text, 'processed'::text, 'refused'::text, 'cleared'::text])))
);

CREATE TABLE public.replay_item (
    run_id uuid NOT NULL,
    failed_id uuid NOT NULL,
    "position" integer NOT NULL,
    replays boolean NOT NULL,
    batch integer,
    handed_at timestamp with time zone,
    times integer DEFAULT 0 NOT NULL,
    begun integer DEFAULT 0 NOT NULL,
    outcome text,
    why text DEFAULT ''::text NOT NULL,
    effects text[] DEFAULT '{}'::text[] NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT outcome_is_dated CHECK (((outcome IS NULL) = (ended_at IS NULL))),
    CONSTRAINT replay_item_outcome_check CHECK ((outcome = ANY (ARRAY['safe'::text, 'already_done'::text, 'expired'::text, 'unsafe'::text, 'done'::text, 'refused'::text, 'failed'::text, 'left'::text, 'cancelled'::text])))
);

CREATE TABLE public.replay_run (
    run_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    begun_by text NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    choice text NOT NULL,
    steps integer[] NOT NULL,
    per_second double precision,
    total integer NOT NULL,
    batch integer DEFAULT 0 NOT NULL,
    step integer DEFAULT 0 NOT NULL,
    left_over integer DEFAULT 0 NOT NULL,
    paced_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    why text DEFAULT ''::text NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT ended_is_dated CHECK (((state = ANY (ARRAY['cancelled'::text, 'finished'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT replay_run_kind_check CHECK ((kind = ANY (ARRAY['rehearsal'::text, 'replay'::text]))),
    CONSTRAINT replay_run_per_second_check CHECK ((per_second > (0)::double precision)),
    CONSTRAINT replay_run_state_check CHECK ((state = ANY (ARRAY['running'::text, 'stopped'::text, 'cancelled'::text, 'finished'::text]))),
    CONSTRAINT replay_run_steps_check CHECK ((((cardinality(steps) >= 1) AND (cardinality(steps) <= 100)) AND (0 < ALL (steps)))),
    CONSTRAINT replay_run_total_check CHECK ((total > 0))
);

CREATE TABLE public.retention (
    notice_id uuid NOT NULL,
    look_again_at timestamp with time zone NOT NULL,
    looked_at timestamp with time zone,
    kept_until date,
    kept_for text[] DEFAULT '{}'::text[] NOT NULL,
    asked_by text,
    asked_reason text,
    asked_at timestamp with time zone,
    erased_at timestamp with time zone,
    CONSTRAINT asked_by_name CHECK ((((asked_at IS NULL) = (asked_by IS NULL)) AND ((asked_at IS NULL) = (asked_reason IS NULL))))
);

CREATE TABLE public.reversal (
    sanction_id uuid NOT NULL,
    reason text NOT NULL,
    required_at timestamp with time zone NOT NULL,
    decision text,
    decided_by text,
    decided_at timestamp with time zone,
    decision_reason text,
    CONSTRAINT decided_by_name CHECK ((((decision IS NULL) = (decided_by IS NULL)) AND ((decision IS NULL) = (decided_at IS NULL)))),
    CONSTRAINT reversal_decision_check CHECK ((decision = ANY (ARRAY['rescinded'::text, 'upheld'::text])))
);

CREATE TABLE public.sanction (
    sanction_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    deadline_version integer NOT NULL,
    regime text NOT NULL,
    matter text NOT NULL,
    kind text NOT NULL,
    automatic boolean NOT NULL,
    state text NOT NULL,
    proposed_at timestamp with time zone NOT NULL,
    objections_until timestamp with time zone NOT NULL,
    decided_by text,
    approved_by text,
    fired_at timestamp with time zone,
    CONSTRAINT fired_is_dated CHECK (((state = ANY (ARRAY['proposed'::text, 'dropped'::text])) = (fired_at IS NULL))),
    CONSTRAINT sanction_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'fired'::text, 'dropped'::text, 'reversal_required'::text, 'upheld'::text, 'rescinded'::text])))
);

CREATE TABLE public.sanction_word (
    sanction_id uuid NOT NULL,
    word text NOT NULL,
    batch_id uuid,
    said_by text NOT NULL,
    said_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reason text NOT NULL,
    seen_change bigint DEFAULT 0 NOT NULL,
    CONSTRAINT sanction_word_word_check CHECK ((word = ANY (ARRAY['release'::text, 'decline'::text])))
);

CREATE TABLE public.sending_brake (
    one boolean DEFAULT true NOT NULL,
    on_since timestamp with time zone,
    until timestamp with time zone,
    reason text,
    changed_by text,
    CONSTRAINT sending_brake_one_check CHECK (one)
);

CREATE TABLE public.sign_in (
    state_hash bytea NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    go_to text NOT NULL,
    language text NOT NULL,
    began_at timestamp with time zone NOT NULL
);

CREATE TABLE public.suppressed_address (
    address text NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone NOT NULL
);

CREATE TABLE public.upload (
    upload_id uuid NOT NULL,
    evidence_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    number integer NOT NULL,
    shown_name text NOT NULL,
    media_type text NOT NULL,
    size bigint,
    digest bytea,
    erased_at timestamp with time zone,
    CONSTRAINT complete_at_once CHECK (((size IS NULL) = (digest IS NULL))),
    CONSTRAINT upload_number_check CHECK ((number > 0))
);

CREATE TABLE public.upload_part (
    upload_id uuid NOT NULL,
    number integer NOT NULL,
    bytes bytea NOT NULL
);

CREATE TABLE public.web_session (
    token_hash bytea NOT NULL,
    site text NOT NULL,
    person text NOT NULL,
    shown_name text NOT NULL,
    businesses jsonb NOT NULL,
    business_id text,
    language text NOT NULL,
    csrf text NOT NULL,
    id_token text DEFAULT ''::text NOT NULL,
    began_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    roles text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT web_session_site_check CHECK ((site = ANY (ARRAY['inbox'::text, 'console'::text])))
);

CREATE TABLE public.webhook (
    source text NOT NULL,
    url text NOT NULL,
    added_by text NOT NULL,
    added_at timestamp with time zone NOT NULL
);

CREATE TABLE public.webhook_delivery (
    outbox_id bigint NOT NULL,
    source text NOT NULL,
    notice_id uuid,
    due_at timestamp with time zone DEFAULT clock_timestamp(),
    handed_at timestamp with time zone,
    claimed_until timestamp with time zone,
    delivered_at timestamp with time zone
);

CREATE TABLE public.worker_alive (
    worker text NOT NULL,
    instance text NOT NULL,
    version text NOT NULL,
    since timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.access_record
    ADD CONSTRAINT access_record_pkey PRIMARY KEY (access_id);

ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_notice_id_number_key UNIQUE (notice_id, number);

ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (attempt_id);

ALTER TABLE ONLY public.brake_batch_item
    ADD CONSTRAINT brake_batch_item_batch_id_sanction_id_key UNIQUE (batch_id, sanction_id);

ALTER TABLE ONLY public.brake_batch_item
    ADD CONSTRAINT brake_batch_item_pkey PRIMARY KEY (batch_id, number);

ALTER TABLE ONLY public.brake_batch
    ADD CONSTRAINT brake_batch_pkey PRIMARY KEY (batch_id);

ALTER TABLE ONLY public.brake_change
    ADD CONSTRAINT brake_change_pkey PRIMARY KEY (change_id);

ALTER TABLE ONLY public.brake_judgement
    ADD CONSTRAINT brake_judgement_pkey PRIMARY KEY (judgement_id);

ALTER TABLE ONLY public.brake
    ADD CONSTRAINT brake_pkey PRIMARY KEY (kind);

ALTER TABLE ONLY public.callback_batch
    ADD CONSTRAINT callback_batch_pkey PRIMARY KEY (batch_id);

ALTER TABLE ONLY public.chain_root
    ADD CONSTRAINT chain_root_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.deadline
    ADD CONSTRAINT deadline_pkey PRIMARY KEY (notice_id, version);

ALTER TABLE public.callback_batch
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR ((body = '\x'::bytea) AND (headers = '{}'::jsonb) AND (body_sha256 IS NOT NULL)))) NOT VALID;

ALTER TABLE public.failed_item
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR ((body = '\x'::bytea) AND (headers = '{}'::jsonb) AND (body_sha256 IS NOT NULL) AND (state = ANY (ARRAY['resolved'::text, 'discarded'::text]))))) NOT VALID;

ALTER TABLE public.failed_item_edit
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR ((body = '\x'::bytea) AND (body_before = '\x'::bytea) AND (headers = '{}'::jsonb) AND (state <> 'proposed'::text)))) NOT VALID;

ALTER TABLE public.intake_event
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR (body = '\x'::bytea))) NOT VALID;

ALTER TABLE public.notice_content
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR ((request = '{}'::jsonb) AND (subject = ''::text) AND (body_text = ''::text) AND (body_html = ''::text)))) NOT VALID;

ALTER TABLE public.raw_evidence
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR ((body = '\x'::bytea) AND (headers = '{}'::jsonb) AND (body_sha256 IS NOT NULL) AND (state = ANY (ARRAY['processed'::text, 'refused'::text, 'cleared'::text]))))) NOT VALID;

ALTER TABLE public.upload
    ADD CONSTRAINT erased_is_empty CHECK (((erased_at IS NULL) OR (shown_name = ''::text))) NOT VALID;

ALTER TABLE public.outbox
    ADD CONSTRAINT erased_was_sent CHECK (((erased_at IS NULL) OR ((sent_at IS NOT NULL) AND (body_sha256 IS NOT NULL)))) NOT VALID;

ALTER TABLE ONLY public.failed_item_action
    ADD CONSTRAINT failed_item_action_pkey PRIMARY KEY (action_id);

ALTER TABLE ONLY public.failed_item_edit
    ADD CONSTRAINT failed_item_edit_pkey PRIMARY KEY (edit_id);

ALTER TABLE ONLY public.failed_item
    ADD CONSTRAINT failed_item_event_id_subject_source_worker_key UNIQUE (event_id, subject, source, worker);

ALTER TABLE ONLY public.failed_item
    ADD CONSTRAINT failed_item_pkey PRIMARY KEY (failed_id);

ALTER TABLE ONLY public.gate_wait
    ADD CONSTRAINT gate_wait_pkey PRIMARY KEY (notice_id);

ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_pkey PRIMARY KEY (hold_id);

ALTER TABLE ONLY public.inbox_up
    ADD CONSTRAINT inbox_up_pkey PRIMARY KEY (from_at);

ALTER TABLE ONLY public.intake_event
    ADD CONSTRAINT intake_event_pkey PRIMARY KEY (source, event_id);

ALTER TABLE ONLY public.legal_hold
    ADD CONSTRAINT legal_hold_pkey PRIMARY KEY (legal_hold_id);

ALTER TABLE ONLY public.mark
    ADD CONSTRAINT mark_pkey PRIMARY KEY (mark_id);

ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.notice_content
    ADD CONSTRAINT notice_content_pkey PRIMARY KEY (notice_id);

ALTER TABLE ONLY public.notice_event
    ADD CONSTRAINT notice_event_pkey PRIMARY KEY (notice_id, seq);

ALTER TABLE ONLY public.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (notice_id);

ALTER TABLE ONLY public.notice
    ADD CONSTRAINT notice_source_source_ref_key UNIQUE (source, source_ref);

ALTER TABLE ONLY public.notice_trace
    ADD CONSTRAINT notice_trace_pkey PRIMARY KEY (notice_id);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (outbox_id);

ALTER TABLE ONLY public.processed
    ADD CONSTRAINT processed_pkey PRIMARY KEY (event_id, subject, source, consumer);

ALTER TABLE ONLY public.raw_evidence
    ADD CONSTRAINT raw_evidence_pkey PRIMARY KEY (evidence_id);

ALTER TABLE ONLY public.replay_item
    ADD CONSTRAINT replay_item_pkey PRIMARY KEY (run_id, failed_id);

ALTER TABLE ONLY public.replay_item
    ADD CONSTRAINT replay_item_run_id_position_key UNIQUE (run_id, "position");

ALTER TABLE ONLY public.replay_run
    ADD CONSTRAINT replay_run_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (notice_id);

ALTER TABLE ONLY public.reversal
    ADD CONSTRAINT reversal_pkey PRIMARY KEY (sanction_id);

ALTER TABLE ONLY public.sanction
    ADD CONSTRAINT sanction_notice_id_deadline_version_key UNIQUE (notice_id, deadline_version);

ALTER TABLE ONLY public.sanction
    ADD CONSTRAINT sanction_pkey PRIMARY KEY (sanction_id);

ALTER TABLE ONLY public.sanction_word
    ADD CONSTRAINT sanction_word_pkey PRIMARY KEY (sanction_id);

ALTER TABLE ONLY public.sending_brake
    ADD CONSTRAINT sending_brake_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.sign_in
    ADD CONSTRAINT sign_in_pkey PRIMARY KEY (state_hash);

ALTER TABLE ONLY public.suppressed_address
    ADD CONSTRAINT suppressed_address_pkey PRIMARY KEY (address);

ALTER TABLE ONLY public.upload
    ADD CONSTRAINT upload_evidence_id_number_key UNIQUE (evidence_id, number);

ALTER TABLE ONLY public.upload_part
    ADD CONSTRAINT upload_part_pkey PRIMARY KEY (upload_id, number);

ALTER TABLE ONLY public.upload
    ADD CONSTRAINT upload_pkey PRIMARY KEY (upload_id);

ALTER TABLE ONLY public.web_session
    ADD CONSTRAINT web_session_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_pkey PRIMARY KEY (outbox_id);

ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT webhook_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.worker_alive
    ADD CONSTRAINT worker_alive_pkey PRIMARY KEY (worker, instance);

CREATE INDEX access_record_export ON public.access_record USING btree (access_id) WHERE (act = 'subject.export'::text);

CREATE INDEX access_record_notice ON public.access_record USING btree (notice_id) WHERE (notice_id IS NOT NULL);

CREATE INDEX access_record_person ON public.access_record USING btree (person, access_id);

CREATE INDEX attempt_address ON public.attempt USING btree (lower(address), started_at);

CREATE INDEX attempt_retry ON public.attempt USING btree (retry_at) WHERE (retry_at IS NOT NULL);

CREATE INDEX attempt_sending ON public.attempt USING btree (lease_until) WHERE (state = 'sending'::text);

CREATE INDEX brake_batch_item_sanction ON public.brake_batch_item USING btree (sanction_id);

CREATE UNIQUE INDEX brake_batch_open ON public.brake_batch USING btree (kind) WHERE (state = 'open'::text);

CREATE INDEX brake_change_of_kind ON public.brake_change USING btree (kind, change_id);

CREATE INDEX brake_judgement_of_item ON public.brake_judgement USING btree (batch_id, number, judgement_id);

CREATE INDEX callback_batch_kept ON public.callback_batch USING btree (received_at) WHERE (erased_at IS NULL);

CREATE INDEX deadline_due ON public.deadline USING btree (due_at) WHERE (passed_at IS NULL);

CREATE INDEX failed_item_action_item ON public.failed_item_action USING btree (failed_id);

CREATE INDEX failed_item_due ON public.failed_item USING btree (next_at) WHERE (state = 'retry'::text);

CREATE INDEX failed_item_edit_item ON public.failed_item_edit USING btree (failed_id);

CREATE UNIQUE INDEX failed_item_edit_one_open ON public.failed_item_edit USING btree (failed_id) WHERE (state = 'proposed'::text);

CREATE INDEX failed_item_kept ON public.failed_item USING btree (created_at) WHERE ((state = ANY (ARRAY['resolved'::text, 'discarded'::text])) AND (erased_at IS NULL));

CREATE INDEX failed_item_listed ON public.failed_item USING btree (state, created_at, failed_id);

CREATE INDEX failed_item_notice ON public.failed_item USING btree (notice_id) WHERE (notice_id IS NOT NULL);

CREATE INDEX failed_item_open ON public.failed_item USING btree (created_at) WHERE (state = ANY (ARRAY['retry'::text, 'dead'::text, 'replaying'::text]));

CREATE INDEX failed_item_unresolved_subject ON public.failed_item USING btree (subject) WHERE (state <> 'resolved'::text);

CREATE INDEX gate_wait_due ON public.gate_wait USING btree (look_again_at);

CREATE INDEX hold_notice ON public.hold USING btree (notice_id);

CREATE INDEX hold_open ON public.hold USING btree (placed_at) WHERE (lifted_at IS NULL);

CREATE INDEX intake_event_data ON public.intake_event USING btree (source, data_hash);

CREATE INDEX intake_event_kept ON public.intake_event USING btree (received_at) WHERE (erased_at IS NULL);

CREATE INDEX legal_hold_open ON public.legal_hold USING btree (placed_at) WHERE (lifted_at IS NULL);

CREATE INDEX mark_sent ON public.mark USING btree (sent_at DESC);

CREATE INDEX notice_business ON public.notice USING btree (business_id, notice_id DESC);

CREATE INDEX notice_event_day ON public.notice_event USING brin (at);

CREATE INDEX notice_matter ON public.notice USING btree (regime, matter);

CREATE INDEX notice_waiting ON public.notice USING btree (rendered_at) WHERE (state = ANY (ARRAY['accepted'::text, 'rendered'::text]));

CREATE INDEX outbox_carried ON public.outbox USING btree (created_at) WHERE ((notice_id IS NULL) AND (source IS NULL) AND (erased_at IS NULL) AND (type = ANY (ARRAY['notice.requested.v1'::text, 'obligation.satisfied.v1'::text, 'response.reported.v1'::text, 'withdrawal.requested.v1'::text, 'sanction.objected.v1'::text])));

CREATE INDEX outbox_nameless ON public.outbox USING btree (created_at) WHERE ((notice_id IS NULL) AND (source IS NOT NULL) AND (erased_at IS NULL));

CREATE INDEX outbox_told ON public.outbox USING btree (notice_id) WHERE (source IS NOT NULL);

CREATE INDEX outbox_unsent ON public.outbox USING btree (notice_id, outbox_id) WHERE (sent_at IS NULL);

CREATE INDEX raw_evidence_kept ON public.raw_evidence USING btree (received_at) WHERE (erased_at IS NULL);

CREATE INDEX raw_evidence_notice ON public.raw_evidence USING btree (notice_id) WHERE (notice_id IS NOT NULL);

CREATE UNIQUE INDEX raw_evidence_once ON public.raw_evidence USING btree (source, event_id, ((door = 'callback'::text))) WHERE ((door = ANY (ARRAY['amqp'::text, 'http'::text, 'callback'::text])) AND (event_id IS NOT NULL));

CREATE INDEX raw_evidence_open ON public.raw_evidence USING btree (received_at) WHERE (state = ANY (ARRAY['receiving'::text, 'waiting'::text, 'retrying'::text, 'parked'::text, 'dead'::text]));

CREATE INDEX raw_evidence_open_notice ON public.raw_evidence USING btree (notice_id) WHERE (state = ANY (ARRAY['receiving'::text, 'waiting'::text, 'retrying'::text, 'parked'::text, 'dead'::text]));

CREATE UNIQUE INDEX replay_item_in_one_run ON public.replay_item USING btree (failed_id) WHERE (replays AND (ended_at IS NULL));

CREATE INDEX replay_item_item ON public.replay_item USING btree (failed_id);

CREATE INDEX replay_item_out ON public.replay_item USING btree (run_id, handed_at) WHERE ((batch IS NOT NULL) AND (ended_at IS NULL));

CREATE INDEX replay_item_waiting ON public.replay_item USING btree (run_id, "position") WHERE ((batch IS NULL) AND (ended_at IS NULL));

CREATE INDEX replay_run_begun ON public.replay_run USING btree (begun_at DESC, run_id DESC);

CREATE INDEX replay_run_open ON public.replay_run USING btree (begun_at) WHERE (state = ANY (ARRAY['running'::text, 'stopped'::text]));

CREATE INDEX retention_due ON public.retention USING btree (look_again_at);

CREATE INDEX retention_kept ON public.retention USING btree (notice_id) WHERE (kept_for <> '{}'::text[]);

CREATE INDEX sanction_fired ON public.sanction USING btree (kind, fired_at) WHERE (fired_at IS NOT NULL);

CREATE UNIQUE INDEX sanction_one_effective ON public.sanction USING btree (regime, matter) WHERE (state = ANY (ARRAY['fired'::text, 'reversal_required'::text, 'upheld'::text]));

CREATE INDEX upload_notice ON public.upload USING btree (notice_id);

CREATE INDEX web_session_ends ON public.web_session USING btree (ends_at);

CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (source, due_at) WHERE (delivered_at IS NULL);

CREATE INDEX webhook_delivery_notice ON public.webhook_delivery USING btree (notice_id, outbox_id) WHERE (delivered_at IS NULL);

CREATE INDEX webhook_delivery_out ON public.webhook_delivery USING btree (source) WHERE ((delivered_at IS NULL) AND (handed_at IS NOT NULL));

CREATE TRIGGER access_record_append_only BEFORE DELETE OR UPDATE ON public.access_record FOR EACH ROW EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER access_record_never_emptied BEFORE TRUNCATE ON public.access_record FOR EACH STATEMENT EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_batch_item_append_only BEFORE DELETE OR UPDATE ON public.brake_batch_item FOR EACH ROW EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_batch_item_never_emptied BEFORE TRUNCATE ON public.brake_batch_item FOR EACH STATEMENT EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_capped AFTER UPDATE OF cap_per_hour ON public.brake FOR EACH ROW EXECUTE FUNCTION public.keep_brake_change('cap');

CREATE TRIGGER brake_change_append_only BEFORE DELETE OR UPDATE ON public.brake_change FOR EACH ROW EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_change_never_emptied BEFORE TRUNCATE ON public.brake_change FOR EACH STATEMENT EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_first_capped AFTER INSERT ON public.brake FOR EACH ROW WHEN ((new.cap_per_hour IS NOT NULL)) EXECUTE FUNCTION public.keep_brake_change('cap');

CREATE TRIGGER brake_first_switched AFTER INSERT ON public.brake FOR EACH ROW WHEN (new.stopped) EXECUTE FUNCTION public.keep_brake_change('switch');

CREATE TRIGGER brake_judgement_append_only BEFORE DELETE OR UPDATE ON public.brake_judgement FOR EACH ROW EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_judgement_never_emptied BEFORE TRUNCATE ON public.brake_judgement FOR EACH STATEMENT EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER brake_switched AFTER UPDATE OF stopped ON public.brake FOR EACH ROW EXECUTE FUNCTION public.keep_brake_change('switch');

CREATE TRIGGER callback_batch_only_erased BEFORE UPDATE ON public.callback_batch FOR EACH ROW EXECUTE FUNCTION public.guard_only_erased();

CREATE TRIGGER intake_event_only_erased BEFORE UPDATE ON public.intake_event FOR EACH ROW EXECUTE FUNCTION public.guard_only_erased();

CREATE CONSTRAINT TRIGGER notice_content_erasure_told AFTER UPDATE OF erased_at ON public.notice_content DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.erased_at IS NOT NULL)) EXECUTE FUNCTION public.guard_erasure_told();

CREATE TRIGGER notice_event_append_only BEFORE DELETE OR UPDATE ON public.notice_event FOR EACH ROW EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER notice_event_never_emptied BEFORE TRUNCATE ON public.notice_event FOR EACH STATEMENT EXECUTE FUNCTION public.guard_append_only();

CREATE TRIGGER notice_state BEFORE UPDATE OF state ON public.notice FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.guard_state();

CREATE CONSTRAINT TRIGGER raw_evidence_erasure_told AFTER UPDATE OF erased_at ON public.raw_evidence DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.erased_at IS NOT NULL) AND (new.notice_id IS NOT NULL))) EXECUTE FUNCTION public.guard_erasure_told();

CREATE TRIGGER raw_evidence_only_erased BEFORE UPDATE OF body, headers, body_sha256, data_hash, erased_at ON public.raw_evidence FOR EACH ROW WHEN ((old.state <> 'receiving'::text)) EXECUTE FUNCTION public.guard_only_erased();

CREATE TRIGGER sanction_needs_lapsed_insert BEFORE INSERT ON public.sanction FOR EACH ROW WHEN ((new.state = 'fired'::text)) EXECUTE FUNCTION public.guard_sanction();

CREATE TRIGGER sanction_needs_lapsed_update BEFORE UPDATE OF state ON public.sanction FOR EACH ROW WHEN (((new.state = 'fired'::text) AND (old.state <> 'fired'::text))) EXECUTE FUNCTION public.guard_sanction();

CREATE TRIGGER sanction_not_declined BEFORE UPDATE OF state ON public.sanction FOR EACH ROW WHEN (((new.state = 'fired'::text) AND (old.state <> 'fired'::text))) EXECUTE FUNCTION public.guard_declined();

CREATE TRIGGER sending_switched AFTER UPDATE OF on_since ON public.sending_brake FOR EACH ROW EXECUTE FUNCTION public.keep_sending_change();

CREATE CONSTRAINT TRIGGER upload_erasure_told AFTER UPDATE OF erased_at ON public.upload DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.erased_at IS NOT NULL)) EXECUTE FUNCTION public.guard_erasure_told();

ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.brake_batch_item
    ADD CONSTRAINT brake_batch_item_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.brake_batch(batch_id);

ALTER TABLE ONLY public.brake_batch_item
    ADD CONSTRAINT brake_batch_item_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.brake_batch_item
    ADD CONSTRAINT brake_batch_item_sanction_id_fkey FOREIGN KEY (sanction_id) REFERENCES public.sanction(sanction_id);

ALTER TABLE ONLY public.brake_judgement
    ADD CONSTRAINT brake_judgement_batch_id_number_fkey FOREIGN KEY (batch_id, number) REFERENCES public.brake_batch_item(batch_id, number);

ALTER TABLE ONLY public.deadline
    ADD CONSTRAINT deadline_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.failed_item_action
    ADD CONSTRAINT failed_item_action_failed_id_fkey FOREIGN KEY (failed_id) REFERENCES public.failed_item(failed_id);

ALTER TABLE ONLY public.failed_item_action
    ADD CONSTRAINT failed_item_action_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.replay_run(run_id);

ALTER TABLE ONLY public.failed_item_edit
    ADD CONSTRAINT failed_item_edit_failed_id_fkey FOREIGN KEY (failed_id) REFERENCES public.failed_item(failed_id);

ALTER TABLE ONLY public.gate_wait
    ADD CONSTRAINT gate_wait_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.legal_hold
    ADD CONSTRAINT legal_hold_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.notice_content
    ADD CONSTRAINT notice_content_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.replay_item
    ADD CONSTRAINT replay_item_failed_id_fkey FOREIGN KEY (failed_id) REFERENCES public.failed_item(failed_id);

ALTER TABLE ONLY public.replay_item
    ADD CONSTRAINT replay_item_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.replay_run(run_id);

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.reversal
    ADD CONSTRAINT reversal_sanction_id_fkey FOREIGN KEY (sanction_id) REFERENCES public.sanction(sanction_id);

ALTER TABLE ONLY public.sanction
    ADD CONSTRAINT sanction_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.sanction_word
    ADD CONSTRAINT sanction_word_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.brake_batch(batch_id);

ALTER TABLE ONLY public.sanction_word
    ADD CONSTRAINT sanction_word_sanction_id_fkey FOREIGN KEY (sanction_id) REFERENCES public.sanction(sanction_id);

ALTER TABLE ONLY public.upload
    ADD CONSTRAINT upload_evidence_id_fkey FOREIGN KEY (evidence_id) REFERENCES public.raw_evidence(evidence_id);

ALTER TABLE ONLY public.upload
    ADD CONSTRAINT upload_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(notice_id);

ALTER TABLE ONLY public.upload_part
    ADD CONSTRAINT upload_part_upload_id_fkey FOREIGN KEY (upload_id) REFERENCES public.upload(upload_id);
