-- Who may do what in Duly's database: a role for each worker, one for the operations team, none of them the owner.
--
-- Run as the owner of the schema (with CREATEROLE) after every `duly migrate`; safe to repeat. No role has a password here:
-- give each one with ALTER ROLE … PASSWORD, or let it come by certificate. tests/ports/test_database_roles.py runs real
-- workers under these roles and tries what they must not do.
--
-- Evidence is insert-only for everybody: no role has UPDATE or DELETE on notice_event, callback_batch, intake_event, mark,
-- chain_root or access_record, nor DELETE on raw_evidence, of which only the standing may change, never what came.

DO $$
DECLARE role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['duly_consumer', 'duly_law', 'duly_door'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role); END IF;
    END LOOP;
    FOREACH role IN ARRAY ARRAY['duly_renderer', 'duly_notifier', 'duly_intake', 'duly_callbacks', 'duly_bounces',
                                'duly_responses', 'duly_deadlines', 'duly_sanctions', 'duly_webhooks', 'duly_relay',
                                'duly_inbox', 'duly_console', 'duly_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', role);
        END IF;
    END LOOP;
    -- Nobody has what an older form of this file gave.
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname IN (
        'duly_consumer', 'duly_law', 'duly_door', 'duly_renderer', 'duly_notifier', 'duly_intake', 'duly_callbacks',
        'duly_bounces', 'duly_responses', 'duly_deadlines', 'duly_sanctions', 'duly_webhooks', 'duly_relay', 'duly_inbox',
        'duly_console', 'duly_operator') LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;

-- What all who speak to others do: write the outbox, note what is owed by webhook, mark what was confirmed.
GRANT SELECT, INSERT ON outbox TO duly_door;
GRANT UPDATE (sent_at) ON outbox TO duly_door;
GRANT SELECT ON webhook TO duly_door;
GRANT SELECT, INSERT ON webhook_delivery TO duly_door;
GRANT SELECT ON notice, attempt TO duly_door;

-- The trace that upstream gave with a request: whoever tells something of the notice goes on with it.
GRANT SELECT ON notice_trace TO duly_door;
GRANT INSERT ON notice_trace TO duly_renderer;

-- Which workers live: each says so of itself.
GRANT SELECT, INSERT, UPDATE, DELETE ON worker_alive TO duly_door;

-- Every consumer of a queue: processed keys, failed items, and the standing of the evidence that they stand for.
GRANT duly_door TO duly_consumer;
GRANT SELECT, INSERT ON processed TO duly_consumer;
GRANT SELECT, INSERT, UPDATE ON failed_item TO duly_consumer;
GRANT SELECT ON failed_item_action TO duly_consumer;
GRANT SELECT ON raw_evidence TO duly_consumer;
GRANT UPDATE (state, outcome, looked_at) ON raw_evidence TO duly_consumer;

-- Those who move notices: the standing, never what the notice is about; the evidence of it; holds; the gate's waits.
GRANT duly_consumer TO duly_law;
GRANT UPDATE (state, seq, chain_head, rendered_at, content_available_at, alert_accepted_at, served_at, deemed_on,
              deadline_version, deadline_at, satisfied_at, lapsed_at, closed_at, sanctioned_at, unserved_at, withdrawn_at, told)
    ON notice TO duly_law, duly_inbox; -- the inbox, too, saves all of the standing when it adds a fact
GRANT SELECT, INSERT ON notice_event TO duly_law;
GRANT SELECT, INSERT ON hold TO duly_law;
GRANT SELECT ON deadline, sanction TO duly_law;
GRANT SELECT, INSERT, UPDATE ON gate_wait TO duly_law;

GRANT duly_law TO duly_renderer, duly_notifier, duly_bounces, duly_responses, duly_deadlines, duly_sanctions;
GRANT duly_consumer TO duly_webhooks, duly_intake, duly_relay;
GRANT duly_door TO duly_callbacks, duly_inbox;

-- Dead letters: a worker says what a rehearsal came to, and nothing else of a run; `relay` hands out; the operations team
-- begins runs and decides. What was done, and by whom, is only ever added.
GRANT SELECT ON replay_run, replay_item TO duly_consumer;
GRANT UPDATE (outcome, why, effects, ended_at, begun) ON replay_item TO duly_consumer;
GRANT UPDATE (batch, handed_at, times) ON replay_item TO duly_relay;
GRANT UPDATE (state, batch, step, left_over, paced_at, why, changed_by, changed_at, ended_at) ON replay_run TO duly_relay;
GRANT INSERT ON failed_item_action TO duly_relay;
GRANT INSERT ON replay_run, replay_item, failed_item_edit TO duly_operator;
GRANT UPDATE (state, total, step, left_over, paced_at, why, changed_by, changed_at, ended_at) ON replay_run TO duly_operator;
GRANT UPDATE (state, decided_by, decided_at, decision_reason) ON failed_item_edit TO duly_operator;

-- renderer
GRANT INSERT ON notice TO duly_renderer;
GRANT SELECT, INSERT ON notice_content TO duly_renderer;

-- notifier
GRANT SELECT ON notice_content, suppressed_address, sending_brake TO duly_notifier;
GRANT INSERT, UPDATE ON attempt TO duly_notifier;
GRANT INSERT ON deadline TO duly_notifier;
GRANT UPDATE (on_since, until, reason, changed_by) ON sending_brake TO duly_notifier;

-- intake: the queue and the HTTP door
GRANT INSERT ON raw_evidence TO duly_intake, duly_callbacks;
GRANT SELECT, INSERT ON mark TO duly_intake;
GRANT SELECT, INSERT ON intake_event TO duly_intake;
GRANT SELECT ON deadline, hold, sanction, chain_root TO duly_intake;
GRANT SELECT, UPDATE (look_again_at) ON gate_wait TO duly_intake;

-- callbacks
GRANT SELECT ON raw_evidence TO duly_callbacks;
GRANT INSERT ON callback_batch TO duly_callbacks;

-- those who can make a notice void: what was proposed is dropped, what was fired needs a person, the gate waits no more
GRANT UPDATE (state) ON sanction TO duly_notifier, duly_bounces, duly_responses;
GRANT SELECT, INSERT ON reversal TO duly_notifier, duly_bounces, duly_responses;
GRANT DELETE ON gate_wait TO duly_notifier, duly_bounces, duly_responses;

-- bounces and responses: what evidence turned out to name
GRANT UPDATE (notice_id, addresses) ON raw_evidence TO duly_bounces, duly_responses;
GRANT SELECT (notice_id, first_viewed_at) ON notice_content TO duly_bounces, duly_responses;

-- deadlines
GRANT INSERT ON deadline TO duly_deadlines;
GRANT UPDATE (passed_at) ON deadline TO duly_deadlines;
GRANT SELECT ON inbox_up TO duly_deadlines;

-- sanctions: the gate
GRANT INSERT ON sanction TO duly_sanctions;
GRANT UPDATE (state, fired_at) ON sanction TO duly_sanctions;
GRANT SELECT, INSERT, UPDATE ON brake TO duly_sanctions;
GRANT SELECT ON mark, reversal TO duly_sanctions;
GRANT DELETE ON gate_wait TO duly_sanctions;

-- webhooks
GRANT UPDATE (due_at, handed_at, claimed_until, delivered_at) ON webhook_delivery TO duly_webhooks;

-- relay: looks at everything that waits; changes only when it is looked at again
GRANT SELECT ON notice_event, deadline, hold, sanction, reversal, brake, sending_brake, mark, inbox_up, gate_wait TO duly_relay;
GRANT SELECT (upload_id, evidence_id) ON upload TO duly_relay;
GRANT UPDATE (state, settled_at, retry_at) ON attempt TO duly_relay;
GRANT UPDATE (look_again_at, handed_at) ON gate_wait TO duly_relay;
GRANT UPDATE (due_at, handed_at) ON webhook_delivery TO duly_relay;
GRANT SELECT (upload_id), DELETE ON upload_part TO duly_relay;
GRANT SELECT, INSERT ON chain_root TO duly_relay;

-- relay erases content whose time is over, and nobody else: triggers and checks let it do nothing but empty what is
-- settled, with the fact in the chain. It reads only what it needs to hash and to decide.
GRANT SELECT, UPDATE (request, subject, body_text, body_html, erased_at) ON notice_content TO duly_relay;
GRANT UPDATE (body, headers, addresses, body_sha256, data_hash, erased_at) ON raw_evidence TO duly_relay;
GRANT SELECT, UPDATE (body, headers, body_sha256, erased_at) ON callback_batch TO duly_relay;
GRANT SELECT, UPDATE (body, erased_at) ON intake_event TO duly_relay;
GRANT SELECT, UPDATE (shown_name, erased_at) ON upload TO duly_relay;
GRANT UPDATE (body, body_sha256, erased_at) ON outbox TO duly_relay;
GRANT SELECT, UPDATE (body_before) ON failed_item_action TO duly_relay;
GRANT SELECT, UPDATE (body_before, body, headers, erased_at) ON failed_item_edit TO duly_relay;
GRANT INSERT ON notice_event TO duly_relay;
GRANT UPDATE (state, seq, chain_head, rendered_at, content_available_at, alert_accepted_at, served_at, deemed_on,
              deadline_version, deadline_at, satisfied_at, lapsed_at, closed_at, sanctioned_at, unserved_at, withdrawn_at, told)
    ON notice TO duly_relay; -- it saves all of the standing when it adds the fact
GRANT SELECT ON legal_hold TO duly_relay;
GRANT SELECT, INSERT, UPDATE ON retention TO duly_relay;

-- inbox: what it shows and what it takes in. Not the request behind a notice, no mail or callback of another door, not
-- who decided about a sanction, no failed item, nothing of what officers wrote beside a hold.
GRANT SELECT (notice_id, subject, body_text, body_html, content_hash, first_viewed_at, first_viewed_by),
      UPDATE (first_viewed_at, first_viewed_by) ON notice_content TO duly_inbox;
GRANT SELECT (erased_at) ON notice_content TO duly_inbox;
GRANT INSERT, SELECT (notice_id, seq, kind, data) ON notice_event TO duly_inbox;
GRANT SELECT (notice_id, version, due_on, due_at, reason) ON deadline TO duly_inbox;
GRANT SELECT (notice_id, lifted_at) ON hold TO duly_inbox;
GRANT SELECT (notice_id, state, fired_at) ON sanction TO duly_inbox;
GRANT SELECT (notice_id, look_again_at, waiting_for), UPDATE (look_again_at) ON gate_wait TO duly_inbox;
GRANT SELECT, INSERT, UPDATE (state, outcome, looked_at, body) ON raw_evidence TO duly_inbox;
GRANT SELECT, INSERT, UPDATE (size, digest) ON upload TO duly_inbox;
GRANT SELECT, INSERT, DELETE ON upload_part TO duly_inbox;
GRANT SELECT, INSERT, DELETE ON sign_in TO duly_inbox;
GRANT SELECT, INSERT, DELETE, UPDATE (seen_at, language, business_id) ON web_session TO duly_inbox;
GRANT INSERT ON access_record TO duly_inbox;
GRANT SELECT, INSERT, UPDATE ON inbox_up TO duly_inbox;

-- The inbox alone is narrowed to its own door's evidence, and may change an answer only until it is complete. The other
-- policy is for everybody, so that no reader, and least of all the gate, ever sees less than there is.
ALTER TABLE raw_evidence ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS all_of_it ON raw_evidence;
CREATE POLICY all_of_it ON raw_evidence USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS own_door ON raw_evidence;
CREATE POLICY own_door ON raw_evidence AS RESTRICTIVE TO duly_inbox USING (door = 'inbox') WITH CHECK (door = 'inbox');
DROP POLICY IF EXISTS until_complete ON raw_evidence;
CREATE POLICY until_complete ON raw_evidence AS RESTRICTIVE FOR UPDATE TO duly_inbox
    USING (state = 'receiving') WITH CHECK (true);

-- The operations team: reads all but sessions; decides by name, which the evidence keeps.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO duly_operator;
REVOKE SELECT ON web_session, sign_in FROM duly_operator;
GRANT duly_law TO duly_operator;
GRANT INSERT ON raw_evidence, failed_item_action, deadline, brake, suppressed_address, webhook, access_record
    TO duly_operator;
GRANT UPDATE (notice_id, addresses) ON raw_evidence TO duly_operator;
GRANT UPDATE (lifted_by, lifted_at, lift_reason) ON hold TO duly_operator;
GRANT UPDATE (state, decided_by, approved_by) ON sanction TO duly_operator;
GRANT UPDATE (decision, decided_by, decided_at, decision_reason) ON reversal TO duly_operator;
GRANT UPDATE (retry_at) ON attempt TO duly_operator;
GRANT UPDATE (stopped, cap_per_hour, changed_by, changed_at, reason) ON brake TO duly_operator;
GRANT UPDATE (on_since, until, reason, changed_by) ON sending_brake TO duly_operator;
GRANT UPDATE (url, added_by, added_at) ON webhook TO duly_operator;
GRANT DELETE ON suppressed_address, webhook, webhook_delivery, gate_wait TO duly_operator;

-- What persons decide of proposed sanctions: written by the operations team, read by the gate. The history of the brakes is
-- written by the brakes' own triggers with the owner's rights, and by nobody else.
GRANT SELECT ON sanction_word, brake_change TO duly_sanctions;
GRANT INSERT ON sanction_word, brake_batch, brake_batch_item, brake_judgement TO duly_operator;
GRANT UPDATE (word, batch_id, said_by, said_at, reason, seen_change) ON sanction_word TO duly_operator;
GRANT UPDATE (state, decided_by, decided_at, decided_reason) ON brake_batch TO duly_operator;
GRANT UPDATE (kind) ON brake TO duly_operator; -- locks it, as the gate does

-- Retention at the desk: legal holds by name, and asking to erase, which relay does. Nobody takes a word back.
GRANT INSERT, UPDATE (lifted_by, lifted_at, lift_reason) ON legal_hold TO duly_operator;
GRANT INSERT, UPDATE ON retention TO duly_operator;

-- console: the desk of those who work here is the operations team's, with a door in front: sign-ins, sessions, and the record
-- of who looked at what, which it only ever adds to. Who may decide what is a matter of its own roles, at its door.
GRANT duly_operator TO duly_console;
GRANT SELECT, INSERT, DELETE ON sign_in TO duly_console;
GRANT SELECT, INSERT, DELETE, UPDATE (seen_at, language, business_id) ON web_session TO duly_console;

-- Two sites keep their sessions in one table, and neither can see, end or make one of the other's: whoever breaks into the
-- inbox, which is open to the world, is not signed in to the console.
ALTER TABLE web_session ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS all_of_it ON web_session;
CREATE POLICY all_of_it ON web_session USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS of_the_inbox ON web_session;
CREATE POLICY of_the_inbox ON web_session AS RESTRICTIVE TO duly_inbox USING (site = 'inbox') WITH CHECK (site = 'inbox');
DROP POLICY IF EXISTS of_the_console ON web_session;
CREATE POLICY of_the_console ON web_session AS RESTRICTIVE TO duly_console
    USING (site = 'console') WITH CHECK (site = 'console');
