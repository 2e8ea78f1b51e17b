"""The doors for what mail systems and providers report."""
