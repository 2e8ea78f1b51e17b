"""The gate's worker: the only one that fires a sanction."""
