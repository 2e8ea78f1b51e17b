-- A trial database's simulated clock: legal time runs ahead by an offset that only a trial can set. Never among the
-- production migrations.
CREATE TABLE trial_clock (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    ahead  interval NOT NULL DEFAULT interval '0'
);
INSERT INTO trial_clock DEFAULT VALUES;
CREATE OR REPLACE FUNCTION legal_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT clock_timestamp() + (SELECT ahead FROM trial_clock) $$;
CREATE OR REPLACE FUNCTION is_trial() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT true $$;
