"""How a worker runs: batches, outcomes, retries, health, stopping."""
