"""Bounces: what a report of non-delivery proves, and what follows from it."""
