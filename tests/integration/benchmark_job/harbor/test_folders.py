"""The folder of a Harbor job stays while a process is in it."""

import sys
from pathlib import Path

from loopyard.benchmark_job.harbor import folders
from loopyard.benchmark_job.harbor.process import HarborProcess


def _folder(place: Path) -> Path:
    (place / "jobs" / place.name / "task__1").mkdir(parents=True)
    (place / "jobs" / place.name / "task__1" / "result.json").write_text("{}")
    return place


def test_a_folder_that_a_process_is_in_stays_until_it_has_ended(tmp_path: Path) -> None:
    place = _folder(tmp_path / "bmj_1")
    process = HarborProcess(place)
    process.start([sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"], {})
    while "here" not in process.last_words:
        pass
    folders.sweep(tmp_path, ())
    assert place.is_dir()
    process.stop()
    folders.sweep(tmp_path, ())
    assert not place.exists()
