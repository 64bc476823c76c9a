"""Options of programs, as getopt takes them apart."""

from collections.abc import Sequence


def options(
    arguments: Sequence[str], valued: str = "", long_valued: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Options with their values ("" for those without one), and the other arguments. The letters in `valued` take a
    value, as do the long names in `long_valued`."""
    found: dict[str, str] = {}
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return found, rest + waiting
        if word.startswith("--"):
            name, given, value = word[2:].partition("=")
            found[name] = value if given or name not in long_valued else waiting.pop(0)
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            while letters:
                letter, letters = letters[0], letters[1:]
                if letter in valued:
                    found[letter] = letters or waiting.pop(0)
                    break
                found[letter] = ""
        else:
            rest.append(word)
    return found, rest
