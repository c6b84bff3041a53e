from __future__ import annotations

from livemon.api.tokens import digest, new_token


def test_tokens_have_256_bits_and_are_stored_as_hashes() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100 and all(len(token) == 43 for token in tokens)
    assert len(digest("a")) == 64 and digest("a") != digest("b")
    assert digest("\udcff") != digest("a")  # a broken header value is hashed, not raised about
