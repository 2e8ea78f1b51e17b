"""The clock's worker: it notices that deadlines have passed, and never punishes."""
