"""Tells upstreams that cannot consume AMQP."""
