"""What Duly brings along when nothing is configured: a private PostgreSQL, a mailbox."""
