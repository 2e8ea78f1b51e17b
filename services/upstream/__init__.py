"""How an upstream system publishes to Duly: one import, one function.

    from services.upstream import publish

    publish([{"type": "obligation.satisfied.v1", "data": {...}}], source="fees")

`publish` (or `await apublish`) returns when the broker has confirmed every event and a queue has taken it; until then
it sends again, with the same ids. A request is the publisher's until `notice.accepted` or `notice.refused` comes back.
"""

from services.upstream.events import EventsRefused, prepare
from services.upstream.publisher import NotConfirmed, apublish, publish

__all__ = ["EventsRefused", "NotConfirmed", "apublish", "prepare", "publish"]
