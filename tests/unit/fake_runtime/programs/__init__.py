"""The programs of a sandbox, by name."""

from tests.unit.fake_runtime.process import Body
from tests.unit.fake_runtime.programs import files, looks, system, tests, text

PROGRAMS: dict[str, Body] = {**files.PROGRAMS, **looks.PROGRAMS, **text.PROGRAMS, **system.PROGRAMS, **tests.PROGRAMS}
