"""The database: SQLite or PostgreSQL through SQLAlchemy, with a migration for every change of a table."""
