"""What becomes of a pattern on its way to ast-grep."""

import pytest

from loopyard.scorer.ast_grep import AstGrepScorer, unquoted
from loopyard.scorer.scorer import Ended, NoScore, ScorerPaths


@pytest.mark.parametrize(
    ("given", "pattern"),
    [
        ("print($X)", "print($X)"),
        (r"f(\$\$\$ARGS)", "f($$$ARGS)"),
        (r"log(\"\`a\`\")", 'log("`a`")'),
        (r"\\n", r"\n"),
        (r"\n\d", r"\n\d"),
        ("a\\\nb", "ab"),
        ("$(rm -rf /)`id`", "$(rm -rf /)`id`"),
    ],
)
def test_a_pattern_is_read_as_within_double_quotes(given: str, pattern: str) -> None:
    assert unquoted(given) == pattern


def test_no_field_is_taken_for_an_option() -> None:
    scorer = AstGrepScorer(type="ast_grep_scorer", pattern="--rewrite=x", search_directory="--update-all")
    job = scorer.job(ScorerPaths("/place", "/work"))
    assert job.argv[-3:] == ["--pattern=--rewrite=x", "--", "/work/--update-all"]


def test_found_or_not_by_the_exit_status() -> None:
    scorer = AstGrepScorer(type="ast_grep_scorer", pattern="x", search_directory=".")
    assert [scorer.judge(Ended(status, "")) for status in (0, 1)] == [1.0, 0.0]
    for status in (2, 137):
        with pytest.raises(NoScore):
            scorer.judge(Ended(status, ""))
