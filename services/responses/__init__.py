"""What was received about notices, and what it does to them."""
