"""Builds and a server that is killed."""

from pathlib import Path

from tests.serving import serving
from tests.slow.blueprint.building import complete, ended, fresh, said, until_said


def test_a_build_that_was_cut_off_by_sigkill_is_done_anew_and_leaves_nothing_running(
    tmp_path: Path, busybox: str
) -> None:
    with serving(tmp_path / "data") as server:
        with server.client() as client:
            # The second build finds the marker of the first only if the cut-off step's changes were kept.
            dockerfile = f"FROM {busybox}\n{fresh()}RUN echo begun; sleep 8; echo done > /done\n"
            once = "RUN echo ran once; echo once > /once\n"
            dockerfile = dockerfile.replace("RUN echo begun", f"{once}RUN echo begun")
            blueprint = client.blueprints.create(name="cut off", dockerfile=dockerfile)
            until_said(client, blueprint.id, "begun")
            server.kill()
        server.start()
        with server.client() as client:
            assert ended(client, blueprint.id).status == "build_complete", said(client, blueprint.id)
            lines = said(client, blueprint.id)
            assert "it begins anew" in lines
            assert lines.splitlines().count("ran once") == 1  # a step that was finished is not run again
            assert lines.count("Using cache") == 2
            again = complete(client, base_blueprint_id=blueprint.id, system_setup_commands=["cat /done"])
            assert "done" in said(client, again.id)
        runs = list(Path("/run/loopyard").glob(f"*/builds/{blueprint.id}"))
        assert runs == []
        assert list((tmp_path / "data" / "builds").glob(f"{blueprint.id}/")) == []
