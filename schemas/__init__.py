"""The traffic: every message, where it travels, and the database's shape."""
