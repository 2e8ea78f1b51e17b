-- name: attempts_orphan
-- Only one process sends from this database, and it has just begun: whoever was sending is gone, and its leases with it.
UPDATE attempt SET lease_until = clock_timestamp() WHERE state = 'sending' AND lease_until > clock_timestamp();
