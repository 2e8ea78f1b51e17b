"""The catalogue keeps its own rules, and the broker's topology is the catalogue's."""

from __future__ import annotations

import re

from schemas.asyncapi import queue_arguments
from schemas.catalogue import CASUALTIES, CATALOGUE, EXCHANGE, QUEUES, routing_keys
from services.kernel.adapters.broker.catalogue import topology_of_catalogue

TYPE = re.compile(r"[a-z]+\.[a-z_]*(ed|sent|drawn|held)\.v[1-9][0-9]*")


def test_types_are_a_noun_a_past_participle_and_a_version() -> None:
    assert [name for name in CATALOGUE if not TYPE.fullmatch(name)] == []


def test_a_class_is_named_for_its_type() -> None:
    for entry in CATALOGUE.values():
        words = re.split(r"[._]", entry.type)
        named = "".join(word.capitalize() for word in words)
        assert entry.model.__name__ == ("MarkSentV1" if entry.type == "mark.sent.v1" else named)


def test_each_type_has_a_class_of_its_own() -> None:
    models = [entry.model for entry in CATALOGUE.values()]
    assert len(set(models)) == len(models)


def test_each_class_says_what_it_means() -> None:
    assert [entry.type for entry in CATALOGUE.values() if not entry.model.__dict__.get("__doc__")] == []


def test_queues_are_named_for_the_worker_that_takes_them() -> None:
    assert all(re.fullmatch(r"duly\.[a-z]+", queue) for queue in QUEUES)
    assert CASUALTIES not in QUEUES


def test_what_upstream_sends_goes_to_the_renderer_or_through_the_evidence_queue() -> None:
    taken = {entry.type: entry.consumer for entry in CATALOGUE.values() if entry.producer == "upstream"}
    assert taken.pop("notice.requested.v1") == "renderer"
    assert set(taken.values()) == {"intake"}


def test_every_type_either_has_one_queue_or_goes_upstream_only() -> None:
    bound = [key for queue in QUEUES for key in routing_keys(queue)]
    assert sorted(bound) == sorted(entry.type for entry in CATALOGUE.values() if entry.queue)


def test_limits_and_retries_are_usable() -> None:
    for entry in CATALOGUE.values():
        assert entry.most_bytes > 0
        assert entry.retries == tuple(sorted(entry.retries))
        assert all(seconds > 0 for seconds in entry.retries)


def test_topology_declares_each_queue_with_its_types_and_the_documented_arguments() -> None:
    topology = topology_of_catalogue()
    assert topology.exchange == EXCHANGE
    assert {queue.name: queue.routing_keys for queue in topology.queues} == {
        name: routing_keys(name) for name in QUEUES
    }
    for queue in topology.queues:
        assert queue.declared_arguments() == queue_arguments(queue.name)


def test_only_the_evidence_queue_has_a_single_active_consumer() -> None:
    single = [queue.name for queue in topology_of_catalogue().queues if queue.single_active_consumer]
    assert single == ["duly.intake"]


def test_casualties_take_every_dead_letter_and_have_no_limit_of_their_own() -> None:
    casualties = topology_of_catalogue().dead_letter_queue
    assert casualties is not None
    assert (casualties.name, casualties.routing_keys) == (CASUALTIES, ("#",))
    assert casualties.declared_arguments() == queue_arguments(CASUALTIES)
    assert "x-delivery-limit" not in casualties.arguments
