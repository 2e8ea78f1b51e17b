-- The trace that upstream gave with its request (W3C Trace Context), for as long as the notice lives: its deadline may wait
-- for weeks, and whatever follows belongs to the same trace. A notice without a row has the trace that follows from its id.
-- Apart from the notice, whose columns workers of the previous version read by `SELECT *` in prepared statements: a new
-- column would fail each once, in the middle of a transaction that may hold the mail system's acceptance.
CREATE TABLE notice_trace (
    notice_id   uuid PRIMARY KEY,
    traceparent text NOT NULL CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$')
);
