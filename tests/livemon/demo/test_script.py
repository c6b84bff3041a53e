import pytest

from livemon.demo.script import Hold, Say, Silence, parse
from livemon.errors import ConfigError


def test_a_whole_script() -> None:
    script = parse(
        "billing",
        """
        title = "A bill"
        direction = "outbound"
        queue = "billing"
        repeat = 3
        [[line]]
        agent = "Hello."
        [[line]]
        customer = "Yes?"
        after = -0.5
        [[line]]
        silence = 4
        [[line]]
        hold = 2.5
        """,
    )
    assert (script.title, script.direction, script.queue, script.repeat) == ("A bill", "outbound", "billing", 3)
    assert script.lines == (Say("agent", "Hello.", 0.25), Say("customer", "Yes?", -0.5), Silence(4.0), Hold(2.5))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "script x: "),
        ("direction = 'up'", "direction is 'up'; write inbound or outbound"),
        ("title = 'empty'", "has no [[line]]"),
        ("[[line]]\nafter = 1", "line 1: needs exactly one of"),
        ("[[line]]\nagent = 'a'\nhold = 1", "line 1: needs exactly one of"),
        ("[[line]]\nagent = 'a'\n[[line]]\nsilence = 0", "line 2: silence must be longer than 0 s"),
    ],
)
def test_a_fault_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("x", text)
    assert words in str(caught.value)
