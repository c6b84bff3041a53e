"""Runs the migrations on the connection that the caller puts into the configuration's attributes."""

from __future__ import annotations

from alembic import context

from livemon.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot change columns in place; a batch copies the table.
    render_as_batch=True,
)

with context.begin_transaction():
    context.run_migrations()
