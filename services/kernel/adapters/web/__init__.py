"""What every HTTP door shares: serving on our own loop, limits, security headers."""
