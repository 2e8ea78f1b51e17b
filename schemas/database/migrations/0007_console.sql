-- The console: what its people are, and which workers live.

-- What a person was in the console when they signed in; nothing in the inbox.
ALTER TABLE web_session ADD COLUMN roles text[] NOT NULL DEFAULT '{}';

-- What was looked at and done, newest first, for those who watch the watchers.
CREATE INDEX access_record_person ON access_record (person, access_id);

-- Worker processes that say that they live. Times are wall time. Who ended in good order is gone; who fell silent stays a
-- day, to be seen.
CREATE TABLE worker_alive (
    worker   text NOT NULL,
    instance text NOT NULL,
    version  text NOT NULL,
    since    timestamptz NOT NULL,
    beat_at  timestamptz NOT NULL,
    PRIMARY KEY (worker, instance)
);
