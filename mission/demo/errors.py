"""How the story ends when something in it did not come true."""


class Untrue(Exception):
    """Something that the story tells did not come true. Its text is one sentence for the person at the terminal."""


def must(holds: bool, sentence: str) -> None:
    """Raises :class:`Untrue` with this sentence unless it holds."""
    if not holds:
        raise Untrue(sentence)
