"""A build reaches no more than a devbox does."""

import http.server
import threading
from pathlib import Path

from runloop_api_client import Runloop

from tests.slow.blueprint.building import build, complete, fresh, output, said


def test_a_steps_root_is_nobody_on_the_host_and_has_no_more_rights_than_a_devboxs(builds: Runloop) -> None:
    look = "cat /proc/self/uid_map; grep -E 'CapBnd|CapEff|Seccomp:' /proc/self/status"
    blueprint = complete(builds, dockerfile=f"FROM loopyard-base\n{fresh()}RUN {look}\n")
    lines = [line.split() for line in said(builds, blueprint.id).splitlines()]
    mapped = next(line for line in lines if line[:1] == ["0"] and len(line) == 3)
    assert int(mapped[1]) >= 1 << 30
    assert ["Seccomp:", "2"] in lines
    inside = output(
        builds, look, blueprint_id=blueprint.id, launch_parameters={"user_parameters": {"uid": 0, "username": "root"}}
    )
    for row in inside.splitlines():
        if row.startswith("Cap"):
            assert row.split() in lines


def test_neither_add_nor_a_command_reaches_the_host(builds: Runloop, busybox: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        port = server.server_address[1]
        added = build(builds, dockerfile=f"FROM {busybox}\nADD http://127.0.0.1:{port}/ /stolen\n")
        assert added.status == "failed", said(builds, added.id)
        assert "refused" in said(builds, added.id)
        fetched = build(builds, system_setup_commands=[f"curl --silent --max-time 5 http://127.0.0.1:{port}/"])
        assert fetched.status == "failed"
    finally:
        server.shutdown()


def test_a_dockerfile_names_no_file_of_the_host(builds: Runloop) -> None:
    for reference in ("dir:/root", "oci:/var/lib", "docker-archive:/etc/passwd"):
        blueprint = build(builds, dockerfile=f"FROM {reference}\nRUN ls /\n")
        assert blueprint.status == "failed", said(builds, blueprint.id)


def test_links_of_an_image_lead_no_file_of_a_step_to_the_host(builds: Runloop, busybox: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.owner() == "root" and str(folder).startswith("/tmp/"):  # so that an id of a sandbox could write there
            folder.chmod(folder.stat().st_mode | 0o111)
    built = build(
        builds,
        dockerfile=f"""FROM {busybox} AS made
RUN mkdir /made && ln -s {tmp_path} /made/dev && cp -r /bin /made/bin
FROM scratch
COPY --from=made /made/ /
{fresh()}RUN <<EOF
echo the script ran
EOF
""",
    )
    assert [*tmp_path.iterdir()] == []
    assert built.status in ("build_complete", "failed"), said(builds, built.id)


def test_a_network_policy_holds_during_the_build(builds: Runloop) -> None:
    policy = builds.network_policies.create(name="build nothing", allow_all=False)
    command = "curl --silent --show-error --max-time 5 http://1.1.1.1/ && exit 0; echo nothing reached; exit 9"
    blueprint = build(builds, network_policy_id=policy.id, system_setup_commands=[command])
    assert blueprint.status == "failed"
    assert "nothing reached" in said(builds, blueprint.id)


def test_processes_that_a_step_leaves_behind_are_gone_with_it(builds: Runloop) -> None:
    blueprint = complete(
        builds, system_setup_commands=["(while :; do sleep 0.1; done) & echo left", "! ps ax | grep -q '[s]leep 0.1'"]
    )
    assert blueprint.status == "build_complete"
