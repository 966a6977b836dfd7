"""Numbers, and what strangers have written, as words for a terminal."""


def counted(count: int, what: str) -> str:
    """So many of them."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """Without what a server's message, or another program's name, might do to a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
