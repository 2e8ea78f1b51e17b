"""`duly trial`: a day from a file, played through the real workers in this process, and judged."""
