"""The business's secure inbox."""
