"""What test runners print and write, where nothing reports to the scorer."""

import json

import pytest

from loopyard.test_results.inside.names import Results
from loopyard.test_results.inside.readers import READERS
from loopyard.test_results.inside.readers.unreadable import Unreadable


def status(text: str, name: str, reader: str = "lines") -> str:
    """The status of a test, or why it has none."""
    return Results(READERS[reader](text)).of(name)[1]


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("PASSED t.py::a", "t.py::a", "PASSED"),
        ("\x1b[32mPASSED\x1b[0m t.py::\x1b[1ma\x1b[0m", "t.py::a", "PASSED"),
        ("PASSED t.py::a\r\n", "t.py::a", "PASSED"),
        ("PASSED t.py::a[\\x00-\\n]", "t.py::a[\\x00-\\n]", "PASSED"),
        ("PASSED t.py::a[é漢]", "t.py::a[é漢]", "PASSED"),
        ("PASSED t.py::a[x - y]", "t.py::a[x - y]", "PASSED"),
        ("XFAIL t.py::a[x - y] - known", "t.py::a[x - y]", "XFAIL"),
        ("XFAIL at setup of t.py::a - [NOTRUN]", "t.py::a", "XFAIL"),
        ("FAILED t.py::a[x - y] - assert 0", "t.py::a[x - y]", "FAILED"),
        ("PASSED t.py::a\nERROR t.py::a - teardown", "t.py::a", "ERROR"),
        ("ERROR t.py::a\nPASSED t.py::a", "t.py::a", "PASSED"),
        ("XPASS t.py::a", "t.py::a", "XPASS"),
        ("t.py::a PASSED [ 50%]", "t.py::a", "PASSED"),
        ("t.py::a[b c] FAILED", "t.py::a[b c]", "FAILED"),
        ("said: PASSED t.py::a", "t.py::a", "not among the results"),
    ],
)
def test_lines_of_pytest(text: str, name: str, told: str) -> None:
    assert status(text, name) == told


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("test_a (x.C) ... ok", "test_a (x.C)", "PASSED"),
        ("test_a (x.C.test_a) ... ok", "test_a (x.C)", "PASSED"),
        ("test_a (x.C) ... ok", "test_a (x.C.test_a)", "PASSED"),
        ("test_a (x.C)\nTotals are right. ... ok", "test_a (x.C)", "PASSED"),
        ("test_a (x.C)\nTotals are right. ... ok", "Totals are right.", "PASSED"),
        ("test_a (x.C) ... note: slow\nok", "test_a (x.C)", "PASSED"),
        ("test_a (x.C) ... ...\n... so\nFAIL", "test_a (x.C)", "FAILED"),
        ("test_a (x.C) ... without an endok", "test_a (x.C)", "PASSED"),
        ("test_a (x.C) ... is not ok\nFAIL", "test_a (x.C)", "FAILED"),
        ("test_a (x.C) ... skipped 'no'", "test_a (x.C)", "SKIPPED"),
        ("test_a (x.C) ... expected failure", "test_a (x.C)", "XFAIL"),
        ("test_a (x.C) ... unexpected success", "test_a (x.C)", "XPASS"),
        ("\x1b[1mtest_a (x.C)\x1b[0m ... \x1b[32mok\x1b[0m", "test_a (x.C)", "PASSED"),
        ("  Applying sites.0002_alter... OKtest_a (x.C) ... ok", "test_a (x.C)", "PASSED"),
        ("test_a (x.C) ... ok\nFAIL: test_a (x.C) (i=1)", "test_a (x.C)", "FAILED"),
        ("test_a (x.C) ...  OK", "test_a (x.C)", "PASSED"),
        ("test_a (x.C) ... \ntest_b (x.C) ... ok", "test_a (x.C)", "not among the results"),
    ],
)
def test_lines_of_unittest_and_django(text: str, name: str, told: str) -> None:
    assert status(text, name) == told


def test_names_that_were_cut_at_a_blank() -> None:
    one = "PASSED t.py::u[log(photon cm-2 s-1)]"
    assert status(one, "t.py::u[log(photon") == "PASSED"
    assert status(f"{one}\nFAILED t.py::u[log(photon s-1)]", "t.py::u[log(photon").startswith("ambiguous: ")
    assert status(f"{one}\nPASSED t.py::u[log(photon", "t.py::u[log(photon") == "PASSED"
    assert status("PASSED t.py::under", "t.py::u") == "not among the results"


JUNIT = (
    '<?xml version="1.0"?><testsuites><testsuite><testcase classname="a.B" name="c"/>'
    '<testcase classname="a.B" name="d"><failure/></testcase><testcase name="e"><skipped/></testcase>'
    "</testsuite></testsuites>"
)
GO = "\n".join(
    json.dumps({"Action": action, "Package": "p", **({} if test is None else {"Test": test})})
    for action, test in [("run", "A"), ("run", "B"), ("fail", "B"), ("run", "C"), ("pass", "A"), ("fail", None)]
)
CARGO = "test a::b ... ok\ntest c ... FAILED\ntest d ... ignored, slow"
TAP = "\n".join(
    [
        "1..5",
        "ok 1 - one",
        "not ok 2 - two",
        "ok 3 three # SKIP no",
        "not ok 4 - four # TODO",
        "    ok 1 - within",
        "ok 5",
    ]
)
JEST = json.dumps(
    {
        "testResults": [
            {
                "assertionResults": [
                    {"ancestorTitles": ["sums"], "title": "adds", "status": "passed"},
                    {"ancestorTitles": [], "title": "fails", "status": "failed"},
                    {"ancestorTitles": [], "title": "waits", "status": "pending"},
                ]
            }
        ]
    }
)


@pytest.mark.parametrize(
    ("reader", "text", "told"),
    [
        ("junit-xml", JUNIT, {"a.B.c": "PASSED", "a.B::c": "PASSED", "a.B.d": "FAILED", "e": "SKIPPED"}),
        ("go-json", f"noise\n{GO}", {"A": "PASSED", "p.B": "FAILED", "C": "NOT RUN"}),
        ("jest-json", JEST, {"sums adds": "PASSED", "fails": "FAILED", "waits": "SKIPPED"}),
        ("jest-json", f"noise\n{JEST}\n", {"sums adds": "PASSED"}),
        ("cargo", CARGO, {"a::b": "PASSED", "c": "FAILED", "d": "SKIPPED"}),
        (
            "tap",
            TAP,
            {"one": "PASSED", "two": "FAILED", "three": "SKIPPED", "four": "XFAIL", "within": "not among the results"},
        ),
    ],
)  # fmt: skip
def test_reports_of_other_runners(reader: str, text: str, told: dict[str, str]) -> None:
    assert {name: status(text, name, reader) for name in told} == told


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("junit-xml", "no xml"),
        ("junit-xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        ("tap", "ok 1 - one"),
        ("tap", "1..2\nok 1 - one"),
        ("tap", "1..1\nok 1 - one\nBail out! no disk"),
        ("jest-json", '{"testResults": [{}]}'),
    ],
)
def test_reports_that_are_not_whole(reader: str, text: str) -> None:
    with pytest.raises(Unreadable):
        READERS[reader](text)
