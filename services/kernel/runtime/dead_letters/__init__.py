"""Dead letters: what failed, why, what it holds up in law, and what persons do about it. Who and why is kept.

Reads are methods of the desk (`port.DeadLetterDesk`; `adapters.postgres.desk.PostgresDesk` is one):
    letters(chosen, most, after)      a page of a list                -> [DeadLetter]
    letter_count(chosen)              how many                        -> int
    letter_groups(chosen, by)         by cause, impact, template, …   -> [Group]
    letter_whole(failed_id)           message, attempts, notice, …    -> Whole | None
    runs(), run(run_id), run_items(run_id, most, outcome, after)      -> [Run], Run | None, [RunItem]
    edits(failed_id), edit(edit_id)                                   -> [Edit], Edit | None
Acts are functions over it; each raises Fault where it is refused:
    acts.discard / restore / hurry / stop (desk, ids, chosen, said)   -> how many it met
    acts.note(desk, ids, failed_id, said)
    runs.begin(desk, ids, kind, chosen, said, steps, per_second)      -> Run     (`Kind.REHEARSAL` is the dry run)
    runs.stop / resume / cancel (desk, run_id, said)                  -> Run
    edits.propose(desk, ids, failed_id, body, said, raw)              -> Edit
    edits.approve(desk, ids, edit_id, said)                           -> Run     (a second person; replays it)
    edits.reject(desk, ids, edit_id, said)                            -> Edit
    edits.diff(before, after, type)                                   -> (Changed, …)
`relay` drives the runs (`services/relay/runs.py`); workers rehearse (`services/kernel/runtime/rehearsal.py`).
"""
