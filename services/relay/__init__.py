"""What is due and what was left behind: outbox, retries, waits, rescue, casualties, marks and roots."""
