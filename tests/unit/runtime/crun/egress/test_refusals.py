"""How many refusals are told, and as what."""

from loopyard.runtime.crun.egress.refusals import MOST_IN_WINDOW, WINDOW_SECONDS, Refusals


class Told(list[tuple[str, str]]):
    """What was told, at a time that is set by hand."""

    now = 0.0

    def make(self) -> Refusals:
        return Refusals(lambda address, message: self.append((address, message)), lambda: self.now)


def test_the_same_refusal_is_told_once_in_a_while() -> None:
    told = Told()
    refusals = told.make()
    for _ in range(3):
        refusals.note("10.0.0.1", "no")
    refusals.note("10.0.0.3", "no")
    assert told == [("10.0.0.1", "no"), ("10.0.0.3", "no")]
    told.now = WINDOW_SECONDS
    refusals.note("10.0.0.1", "no")
    assert len(told) == 3


def test_who_asks_for_many_is_told_of_some() -> None:
    told = Told()
    refusals = told.make()
    for number in range(1000):
        refusals.note("10.0.0.1", f"no {number}")
    assert len(told) == MOST_IN_WINDOW + 1
    assert "left out" in told[-1][1]


def test_what_a_sandbox_writes_is_made_fit_to_print() -> None:
    told = Told()
    told.make().note("10.0.0.1", "a\x1b[31m\nb" + "x" * 1000)
    [(_, message)] = told
    assert message.startswith("a?[31m?bxxx")
    assert len(message) == 300
