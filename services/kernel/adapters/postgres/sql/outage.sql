-- name: inbox_beat
-- The inbox is up: the time of being up goes on, unless it last said so too long ago (wall time).
UPDATE inbox_up SET until_at = greatest(until_at, legal_now()), beat_at = clock_timestamp()
WHERE from_at = (SELECT max(from_at) FROM inbox_up) AND beat_at >= clock_timestamp() - make_interval(secs => $1::float8)
RETURNING from_at;

-- name: inbox_rise
-- The inbox is up again, or for the first time.
INSERT INTO inbox_up (from_at, until_at, beat_at) SELECT now.at, now.at, clock_timestamp() FROM (SELECT legal_now() AS at) AS now
ON CONFLICT (from_at) DO NOTHING;

-- name: inbox_ups
-- When the inbox was up, as far as it matters for deadlines from this instant on: the last time that began before it, and all after.
SELECT from_at, until_at FROM inbox_up
WHERE from_at >= coalesce((SELECT max(u.from_at) FROM inbox_up u WHERE u.from_at <= $1::timestamptz), $1::timestamptz)
ORDER BY from_at;
