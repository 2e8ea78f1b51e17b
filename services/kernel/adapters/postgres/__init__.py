"""PostgreSQL behind the ledger port: the only folder that imports asyncpg. Its SQL is in `sql/`, one file a table."""
