import posixpath
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from loopyard.kit.http.wire import Text
from loopyard.scorer.scorer import TOOLS, Ended, NoScore, PlacedFile, Scorer, ScorerJob, ScorerPaths

MAX_PATTERN = 65_536
_FOUND, _NOT_FOUND = 0, 1
_ESCAPED = re.compile(r'\\([$`"\\])|\\\n')


def _is_a_language(name: str) -> str:
    if name and not re.fullmatch(r"[A-Za-z0-9_+#-]{1,64}", name):
        raise ValueError("must be the name of a language, such as python")
    return name


class AstGrepScorer(Scorer):
    """A pattern that is searched for in source code by ast-grep: 1.0 if it is found anywhere, else 0.0."""

    reads_only: ClassVar[bool] = True
    type: Literal["ast_grep_scorer"]
    pattern: Annotated[Text, Field(min_length=1, max_length=MAX_PATTERN)]
    """As text within double quotes of a shell: a backslash before `$`, `"`, a backtick or a backslash goes away. `$`
    needs none."""
    search_directory: Annotated[Text, Field(min_length=1, max_length=4096)]
    """Relative to the working directory, or absolute."""
    lang: Annotated[Text, AfterValidator(_is_a_language)] | None = None
    """Default: told by each file's name."""

    def job(self, place: ScorerPaths) -> ScorerJob:
        # Configurations that lie about in the searched code may name libraries to load: this one is the only one.
        configuration = PlacedFile(f"{place.directory}/sgconfig.yml", "ruleDirs: []\n")
        argv = [
            f"{TOOLS}/ast-grep",
            "run",
            f"--config={configuration.path}",
            "--color=never",
            f"--pattern={unquoted(self.pattern)}",
            *([f"--lang={self.lang}"] if self.lang else []),
            "--",
            posixpath.join(place.working_directory, self.search_directory),
        ]
        return ScorerJob(argv, [configuration])

    def judge(self, ended: Ended) -> float:
        if ended.exit_status not in (_FOUND, _NOT_FOUND):
            raise NoScore(f"ast-grep exited with status {ended.exit_status}.")
        return 1.0 if ended.exit_status == _FOUND else 0.0


def unquoted(pattern: str) -> str:
    """Text as a shell reads it within double quotes, but that nothing is put in the place of `$NAME`."""
    return _ESCAPED.sub(lambda found: found[1] or "", pattern)
