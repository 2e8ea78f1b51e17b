"""Tells upstreams that cannot consume AMQP: each event once more, as a signed webhook."""
