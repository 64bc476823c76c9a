"""The archive that is put into boxes."""

import ast
import io
import zipfile

from loopyard.test_results.files import archive


def test_the_archive_has_all_programs_in_a_syntax_that_old_pythons_read() -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as found:
        names = found.namelist()
        for name in names:
            ast.parse(found.read(name), feature_version=(3, 6))
    assert {"__main__.py", "sitecustomize.py", "loopyard_results/judge.py"} <= set(names)
    assert archive() == archive()
