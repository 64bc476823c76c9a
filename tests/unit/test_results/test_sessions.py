"""Records of test sessions: every tampering on the way makes the results void."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.test_results.inside.records import sealed, unsealed
from loopyard.test_results.inside.sessions import Session

KEY = bytes(32)
BEGIN = {"kind": "begin", "runner": "pytest", "file": ""}
TEST = {"kind": "test", "names": ["a"], "statuses": ["PASSED"], "module": "/a.py"}


def end(count: int) -> dict[str, Any]:
    return {"kind": "end", "count": count, "status": 0}


def lines(*records: dict[str, Any], key: bytes = KEY) -> list[bytes]:
    return [sealed(key, number, record) for number, record in enumerate(records, 1)]


def session(sent: list[bytes]) -> Session:
    made = Session(KEY)
    for line in sent:
        made.take(line)
    return made


def test_a_whole_session_counts() -> None:
    whole = session(lines({"kind": "start"}, BEGIN, TEST, end(1)))
    assert whole.why_not() is None
    assert whole.records == [TEST]
    assert session([]).idle


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(lines({"kind": "start"}), id="nothing begun"),
        pytest.param(lines(BEGIN), id="no result"),
        pytest.param(lines(BEGIN, TEST), id="no end"),
        pytest.param(lines(BEGIN, TEST, end(1), BEGIN), id="begun again"),
        pytest.param(lines(BEGIN, TEST, end(2)), id="a result missing"),
        pytest.param([one for n, one in enumerate(lines(BEGIN, TEST, TEST, end(1))) if n != 2], id="a record missing"),
        pytest.param([lines(BEGIN, TEST, end(1))[n] for n in (0, 2, 1)], id="out of order"),
        pytest.param([one for one in lines(BEGIN, TEST, end(1)) for _ in range(2)], id="twice"),
        pytest.param(lines(BEGIN, TEST, end(1), key=bytes(31) + b"a"), id="another key"),
        pytest.param([b"hello\n"], id="words"),
        pytest.param([b"\xff\x00 00\n"], id="bytes"),
        pytest.param([*lines(BEGIN, TEST, end(1)), b"more"], id="something after the end"),
        pytest.param([b"a" * (1 << 20), b"a"], id="a long line"),
        pytest.param(lines(BEGIN, {"kind": "changed", "names": ["TestCase.run"]}, TEST, end(1)), id="replaced"),
    ],
)
def test_what_is_not_whole_does_not_count(sent: list[bytes]) -> None:
    made = session(sent)
    assert not made.idle
    assert made.why_not()


@given(st.lists(st.dictionaries(st.text(), st.text())), st.integers(1, 7))
def test_records_arrive_as_they_were_in_pieces_of_any_size(records: list[dict[str, str]], size: int) -> None:
    sent = b"".join(lines(*records))
    made = Session(KEY)
    for start in range(0, len(sent), size):
        made.take(sent[start : start + size])
    told = [one for one in records if one.get("kind") not in ("begin", "end", "start", "changed")]
    assert made.records == told


@given(st.binary(max_size=200))
def test_no_bytes_are_a_record_without_the_key(line: bytes) -> None:
    assert unsealed(KEY, 1, line) is None
