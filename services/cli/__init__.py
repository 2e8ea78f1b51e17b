"""`duly …`: the command line."""
