"""The renderer: scope, policy, and the pinned text of every notice."""
