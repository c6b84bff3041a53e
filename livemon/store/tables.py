"""The tables. A change here needs a new file in `migrations/versions`; a test compares the two.

Times are UTC milliseconds. Ids that come from outside (calls, agents, teams) are text.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users: Final = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("login", String(128), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(255)),  # null: cannot sign in with a password
    Column("disabled", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)

user_scopes: Final = Table(
    "user_scopes",
    metadata,
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(8), primary_key=True),  # team, queue
    Column("target", String(64), primary_key=True),  # an id, or * for all of them
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
    Column("idle_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    Column("remote", String(64), nullable=False),
)

enter_links: Final = Table(
    "enter_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("path", String(64), nullable=False),
    Column("used_at_ms", BigInteger),
)

teams: Final = Table(
    "teams",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
)

queues: Final = Table(
    "queues",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("dead_air_warn_ms", Integer),
    Column("dead_air_alert_ms", Integer),
    Column("dead_air_critical_ms", Integer),
    Column("hold_warn_ms", Integer),
    Column("hold_alert_ms", Integer),
)

agents: Final = Table(
    "agents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("number", String(64), nullable=False),
    Column("team_id", String(64), ForeignKey("teams.id"), index=True),
)

agent_addresses: Final = Table(
    "agent_addresses",
    metadata,
    # The address is the key: two agents with one address could not be told apart on the wire.
    Column("address", String(255), primary_key=True),
    Column("agent_id", String(64), ForeignKey("agents.id", ondelete="CASCADE"), nullable=False, index=True),
)

agent_queues: Final = Table(
    "agent_queues",
    metadata,
    Column("agent_id", String(64), ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    # No foreign key: a queue may be known by its header value alone, without thresholds of its own.
    Column("queue_id", String(64), primary_key=True),
)

audit_entries: Final = Table(
    "audit_entries",
    metadata,
    Column("writer", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("call_id", String(64), nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("team", String(64), nullable=False),
    Column("queue", String(64), nullable=False),
    Column("line", LargeBinary, nullable=False),  # the bytes the hash chain covers
    Index("ix_audit_entries_order", "at_ms", "writer", "seq"),
    Index("ix_audit_entries_user", "user_id", "at_ms"),
    Index("ix_audit_entries_call", "call_id"),
)

audit_heads: Final = Table(
    "audit_heads",
    metadata,
    Column("writer", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("problem", Text, nullable=False),  # why the import of this writer stopped, or ""
)

interactions: Final = Table(
    "interactions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("segments", Text, nullable=False),  # JSON list of segment ids, in order of appearance
    Column("node", String(64), nullable=False),
    Column("bridge", String(64), nullable=False),
    Column("trunk", String(64), nullable=False),
    Column("direction", String(16), nullable=False),
    Column("agent_id", String(64), nullable=False, index=True),
    Column("team", String(64), nullable=False),
    Column("queue", String(64), nullable=False),
    Column("customer", String(128), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False, index=True),
    Column("answered_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("end_cause", String(32), nullable=False),  # hung_up, not_answered, lost
)
