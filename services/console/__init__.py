"""The operators' and officers' pages: what waits, what failed, what a person must decide."""
