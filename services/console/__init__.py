"""The operators' and officers' pages."""
