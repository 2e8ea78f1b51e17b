"""Duly's programs, one folder each."""
