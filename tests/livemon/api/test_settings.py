from __future__ import annotations

from pathlib import Path

from livemon.api.settings import WebSettings, settings_from
from livemon.config import loads
from livemon.store.seed import SeedUser

FILE = """
[server]
host = "0.0.0.0"
port = 26001
data_dir = "/srv/livemon"
behind_tls = true
origins = ["https://monitor.example"]
[node]
fallback_url = "wss://audio.example/x"
[[team]]
id = "blue"
[[agent]]
id = "a1"
name = "Anna"
number = "201"
team = "blue"
[[user]]
login = "sue"
[[user]]
login = "wall"
role = "wallboard"
teams = ["blue"]
"""


def test_the_file_becomes_settings() -> None:
    settings = settings_from(loads(FILE))
    assert (settings.host, settings.port, settings.secure) == ("0.0.0.0", 26001, True)
    assert settings.database_url == "sqlite:////srv/livemon/livemon.db"
    assert settings.fallback_origins == ("wss://audio.example",)
    assert settings.directory is not None and settings.directory.agents[0].addresses == ("201",)
    assert settings.users == (
        SeedUser("sue", "sue", "supervisor", "", ("*",)),
        SeedUser("wall", "wall", "wallboard", "", ("blue",)),
    )
    assert settings.journal_path("web") == Path("/srv/livemon/audit/web.journal")


def test_without_a_file_the_directory_of_the_database_stays() -> None:
    settings = settings_from(loads(""))
    assert settings.directory is None and not settings.secure and settings.links == ()
    assert settings.fallback_origins[0] == "ws://127.0.0.1:7879"


def test_secrets_are_not_printed() -> None:
    assert "hunter2" not in repr(WebSettings(Path("/x"), users=(SeedUser("a", "A", "admin", "hunter2"),)))
