"""The real things behind the ports: broker, database, mail, library files."""
