-- name: session_begin
-- A person has signed in. It ends after so many seconds, however busy they are.
INSERT INTO web_session (token_hash, site, person, shown_name, businesses, business_id, language, csrf, id_token,
                         began_at, seen_at, ends_at, roles)
SELECT $1::bytea, $2::text, $3::text, $4::text, $5::jsonb, $6::text, $7::text, $8::text, $9::text,
       now.at, now.at, now.at + make_interval(secs => $10::float8), $11::text[]
FROM (SELECT clock_timestamp() AS at) AS now;

-- name: session_find
-- The session of a token, if it is neither over nor idle for too long. That it was seen, if it was, is written twice a
-- minute at most.
WITH seen AS (
    UPDATE web_session SET seen_at = clock_timestamp()
    WHERE $4::boolean AND token_hash = $1::bytea AND site = $2::text AND ends_at > clock_timestamp()
      AND seen_at > clock_timestamp() - make_interval(secs => $3::float8)
      AND seen_at < clock_timestamp() - interval '30 seconds')
SELECT person, shown_name, businesses::text AS businesses, business_id, language, csrf, id_token, roles FROM web_session
WHERE token_hash = $1::bytea AND site = $2::text AND ends_at > clock_timestamp()
  AND seen_at > clock_timestamp() - make_interval(secs => $3::float8);

-- name: session_change
-- The language of a session, and the business that the person acts for.
UPDATE web_session SET language = $2::text, business_id = $3::text WHERE token_hash = $1::bytea;

-- name: session_end
-- A person has signed out.
DELETE FROM web_session WHERE token_hash = $1::bytea;

-- name: session_tidy
-- Sessions that are over or idle, and sign-ins that nobody finished.
WITH over AS (
    DELETE FROM web_session WHERE ends_at < clock_timestamp()
       OR (site = $1::text AND seen_at < clock_timestamp() - make_interval(secs => $2::float8)))
DELETE FROM sign_in WHERE began_at < clock_timestamp() - interval '15 minutes';

-- name: sign_in_begin
-- A sign-in is under way at the provider.
INSERT INTO sign_in (state_hash, nonce, verifier, go_to, language, began_at)
VALUES ($1::bytea, $2::text, $3::text, $4::text, $5::text, clock_timestamp());

-- name: sign_in_end
-- The sign-in that comes back with this state: once, and within ten minutes.
DELETE FROM sign_in WHERE state_hash = $1::bytea AND began_at > clock_timestamp() - interval '10 minutes'
RETURNING nonce, verifier, go_to, language;

-- name: access_record
-- Who did what, allowed or not.
INSERT INTO access_record (site, person, act, allowed, business_id, notice_id, detail)
VALUES ($1::text, $2::text, $3::text, $4::boolean, $5::text, $6::uuid, $7::text);
