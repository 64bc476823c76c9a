"""The folders of Harbor's jobs go when the jobs are over."""

from pathlib import Path

from loopyard.benchmark_job.harbor import folders


def _folder(place: Path) -> Path:
    (place / "jobs" / place.name / "task__1").mkdir(parents=True)
    (place / "jobs" / place.name / "task__1" / "result.json").write_text("{}")
    return place


def test_a_sweep_removes_the_folders_of_jobs_that_are_over(tmp_path: Path) -> None:
    going_on, over = _folder(tmp_path / "bmj_1"), _folder(tmp_path / "bmj_2")
    for _ in range(2):
        folders.sweep(tmp_path, {"bmj_1"})
        assert (going_on.is_dir(), over.exists()) == (True, False)
    folders.sweep(tmp_path / "nowhere", ())
