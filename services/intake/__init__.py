"""The door for evidence from upstream."""
