"""`RUN --mount`."""

from runloop_api_client import Runloop

from tests.slow.blueprint.building import build, complete, fresh, output, said
from tests.slow.blueprint.contexts import context


def test_a_cache_has_its_mode_and_is_kept_between_builds_of_an_account(builds: Runloop) -> None:
    name = fresh().strip().rpartition(" ")[2]
    mount = f"--mount=type=cache,id={name},target=/opt/cache,mode=0777,uid=1000"
    first = f"FROM loopyard-base\nRUN {mount} stat -c 'has %a %u' /opt/cache; touch /opt/cache/mark\n"
    blueprint = complete(builds, dockerfile=first)
    assert "has 777 1000" in said(builds, blueprint.id)
    assert output(builds, "ls -A /opt", blueprint_id=blueprint.id) == ""
    again = complete(builds, dockerfile=f"FROM loopyard-base\n{fresh()}RUN {mount} ls /opt/cache\n")
    assert "mark" in said(builds, again.id).splitlines()
    private = mount.replace("type=cache", "type=cache,sharing=locked,readonly")
    read = build(builds, dockerfile=f"FROM loopyard-base\n{fresh()}RUN {private} touch /opt/cache/x\n")
    assert read.status == "failed"
    assert "Read-only" in said(builds, read.id)


def test_a_bound_folder_can_be_written_and_keeps_nothing(builds: Runloop) -> None:
    dockerfile = f"""FROM loopyard-base
{fresh()}RUN --mount=type=bind,target=/ctx,rw echo new > /ctx/new && rm /ctx/a && ls -A /ctx > /srv/seen
RUN --mount=type=bind,target=/ctx ls -A /ctx >> /srv/seen && ! touch /ctx/x
RUN --mount=type=bind,source=a,target=/file cat /file >> /srv/seen
COPY . /all/
"""
    blueprint = complete(builds, dockerfile=dockerfile, build_context=context(builds, {"a": b"a\n", "b": b"b\n"}))
    assert output(builds, "cat /srv/seen; ls -A /all", blueprint_id=blueprint.id).split() == [
        *["b", "new", "a", "b", "a", "a", "b"]
    ]


def test_a_file_system_in_memory_has_its_size(builds: Runloop) -> None:
    write = "! dd if=/dev/zero of=/m/x bs=1M count=3 && stat -c 'has %a %u' /m"
    blueprint = complete(
        builds, dockerfile=f"FROM loopyard-base\n{fresh()}RUN --mount=type=tmpfs,target=/m,size=2m {write}\n"
    )
    assert "has 1777 0" in said(builds, blueprint.id)


def test_secrets_are_files_or_variables_and_what_was_made_with_them_is_not_shared(builds: Runloop) -> None:
    builds.secrets.create(name="MOUNTED", value="a-mounted-value")
    mounts = "--mount=type=secret,id=S,target=/etc/s,mode=0440,gid=33 --mount=type=secret,id=S,env=OTHER"
    dockerfile = (
        f"FROM loopyard-base\n{fresh()}RUN {mounts} stat -c 'has %a %g' /etc/s && test $(cat /etc/s) = $OTHER\n"
    )
    blueprint = complete(builds, dockerfile=dockerfile, secrets={"S": "MOUNTED"})
    assert "has 440 33" in said(builds, blueprint.id)
    assert output(builds, "ls /etc/s 2>&1 || :", blueprint_id=blueprint.id).endswith("No such file or directory\n")
    required = build(builds, dockerfile="FROM loopyard-base\nRUN --mount=type=secret,id=NONE,required=true true\n")
    assert required.status == "failed"
    assert "NONE" in said(builds, required.id)
