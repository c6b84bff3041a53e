from __future__ import annotations

from livemon.store.tables import metadata


def test_every_table_has_a_named_primary_key() -> None:
    for table in metadata.sorted_tables:
        assert table.primary_key.columns, table.name
        assert table.primary_key.name == f"pk_{table.name}"


def test_no_secret_is_stored_in_clear() -> None:
    columns = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    secrets = {name for name in columns if any(word in name for word in ("token", "password", "secret", "session"))}
    assert {name for name in secrets if not name.endswith("_hash") and not name.startswith("sessions.")} == set()
