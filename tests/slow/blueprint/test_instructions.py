"""Dockerfiles as BuildKit reads them: each instruction has the meaning that its reference gives it."""

import io
import tarfile

from runloop_api_client import Runloop

from tests.slow.blueprint.building import build, complete, fresh, output, said
from tests.slow.blueprint.contexts import context


def test_heredocs_are_scripts_and_files(builds: Runloop) -> None:
    dockerfile = """FROM loopyard-base
RUN <<A
echo one > /srv/one
echo two > /srv/two
A
RUN <<B
#!/usr/bin/env python3
open("/srv/three", "w").write("three\\n")
B
RUN cat > /srv/four <<C
four
C
COPY <<'D' <<E /srv/conf/
$HOME
D
plain
E
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    look = "cd /srv; cat one two three four conf/D conf/E; ls /dev/pipes 2>/dev/null || :"
    assert output(builds, look, blueprint_id=blueprint.id).split() == ["one", "two", "three", "four", "$HOME", "plain"]


def test_shell_and_onbuild_count(builds: Runloop) -> None:
    failing = 'FROM loopyard-base\nSHELL ["/bin/bash","-o","pipefail","-c"]\nRUN false | true\n'
    assert build(builds, dockerfile=failing).status == "failed"
    base = complete(builds, dockerfile="FROM loopyard-base\nONBUILD RUN touch /fired\nONBUILD ENV FIRED=yes\n")
    above = complete(builds, base_blueprint_id=base.id, system_setup_commands=["echo $FIRED > /srv/said"])
    assert output(builds, "ls /fired; cat /srv/said", blueprint_id=above.id) == "/fired\nyes\n"
    assert "fired" not in output(builds, "ls /", blueprint_id=base.id)


def test_what_is_written_to_a_volume_later_is_kept(builds: Runloop) -> None:
    dockerfile = "FROM loopyard-base\nRUN mkdir /data && echo a >/data/a\nVOLUME /data\nRUN echo b >/data/b\n"
    blueprint = complete(builds, dockerfile=dockerfile)
    assert output(builds, "cat /data/a /data/b", blueprint_id=blueprint.id) == "a\nb\n"


def test_a_line_of_any_length_is_a_step(builds: Runloop) -> None:
    long = f"FROM loopyard-base\nRUN echo {'x' * 70_000} | wc -c > /srv/length\n"
    blueprint = complete(builds, dockerfile=long)
    assert output(builds, "cat /srv/length", blueprint_id=blueprint.id) == "70001\n"
    failed = build(builds, dockerfile=f"{long}RUN false\n")
    assert failed.status == "failed"
    assert "Dockerfile:3:1: RUN false: exit status 1" in said(builds, failed.id)


def test_users_groups_and_numbers_are_those_of_the_image(builds: Runloop) -> None:
    dockerfile = """FROM loopyard-base
RUN groupadd -g 700 shared && groupadd -g 701 more && useradd -m -u 600 -G more app
USER app
RUN id > /tmp/plain; echo $HOME >> /tmp/plain
USER app:shared
RUN id > /tmp/group
USER 77
RUN id > /tmp/number
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    printed = output(builds, "cat /tmp/plain /tmp/group /tmp/number", blueprint_id=blueprint.id).splitlines()
    assert printed[0].startswith("uid=600(app)")
    assert printed[0].endswith("701(more)")
    assert printed[1] == "/home/app"
    assert printed[2].endswith("gid=700(shared) groups=700(shared)")
    assert printed[3].startswith("uid=77 gid=0(root)")
    for user, told in (("200000", "200000 is too large"), ("nobody-here", "nobody-here"), ("app:none", "none")):
        failed = build(builds, dockerfile=f"FROM loopyard-base\nUSER {user}\nRUN id\n")
        assert failed.status == "failed"
        assert told in said(builds, failed.id)


def test_copies_have_the_owner_mode_and_place_that_are_said(builds: Runloop) -> None:
    dockerfile = """FROM loopyard-base
RUN ln -s /srv/behind /srv/link && mkdir /srv/behind
COPY a /srv/plain
COPY --chmod=u+x,go-r a /srv/symbolic
COPY --chmod=0751 --chown=1000:33 d /srv/d
COPY --link a b /srv/linked/
COPY a /srv/link/
COPY --parents d/./e/f /srv/parents/
COPY --exclude=*.x d /srv/without
COPY [ab] /srv/wild/
COPY . /srv/all/
"""
    files = {"a": b"a\n", "b": b"b\n", "d/e/f": b"f\n", "d/g.x": b"g\n", "ignored/h": b"h", "ignored/kept": b"k"}
    ignore = b"**\n!a\n!b\n!d\n!**/kept\n"
    blueprint = complete(
        builds, dockerfile=dockerfile, build_context=context(builds, {**files, ".dockerignore": ignore})
    )
    look = "cd /srv; find . -not -type d -printf '%p %m %U:%G\\n' | sort; stat -c '%a %u' d d/e"
    assert output(builds, look, blueprint_id=blueprint.id).splitlines() == [
        "./all/a 644 0:0",
        "./all/b 644 0:0",
        "./all/d/e/f 644 0:0",
        "./all/d/g.x 644 0:0",
        "./all/ignored/kept 644 0:0",
        "./behind/a 644 0:0",
        "./d/e/f 751 1000:33",
        "./d/g.x 751 1000:33",
        "./link 777 0:0",
        "./linked/a 644 0:0",
        "./linked/b 644 0:0",
        "./parents/e/f 644 0:0",
        "./plain 644 0:0",
        "./symbolic 700 0:0",
        "./wild/a 644 0:0",
        "./wild/b 644 0:0",
        "./without/e/f 644 0:0",
        "755 1000",
        "751 1000",
    ]


def test_archives_are_unpacked_by_add_and_lead_nowhere_else(builds: Runloop) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for name, uid in (("plain", 7), ("../../up", 0), ("deep/er", 1000)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid, entry.mode = 2, uid, uid, 0o640
            tar.addfile(entry, io.BytesIO(b"x\n"))
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
        through = tarfile.TarInfo("out/through")
        through.size = 2
        tar.addfile(through, io.BytesIO(b"y\n"))
    dockerfile = "FROM loopyard-base\nADD pack /srv/in/\nCOPY pack /srv/pack\n"
    blueprint = complete(builds, dockerfile=dockerfile, build_context=context(builds, {"pack": packed.getvalue()}))
    look = "cd /srv; find . -type f -printf '%p %m %U\\n' | sort; cat /etc/through"
    printed = output(builds, look, blueprint_id=blueprint.id).splitlines()
    assert printed == ["./in/deep/er 640 1000", "./in/plain 640 7", "./in/up 640 0", "./pack 644 0", "y"]


def test_stages_are_built_when_they_are_needed(builds: Runloop, busybox: str) -> None:
    dockerfile = f"""ARG BASE=loopyard-base
FROM ${{BASE}} AS one
RUN mkdir /out && echo one > /out/one && chown 7:8 /out/one
FROM ${{BASE}} AS unneeded
RUN false
FROM ${{BASE}} AS two
RUN --mount=type=bind,from=one,source=/out,target=/mnt/in cp /mnt/in/one /srv/two
FROM {busybox}
COPY --from=one /out/one /one
COPY --from=two /srv/two /two
COPY --from={busybox} /bin/busybox /again
RUN rm -r /bin/yes && ls -n /one && ls /bin
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    lines = said(builds, blueprint.id)
    assert "7        8" in lines
    assert "[stage 3] yes" not in lines.splitlines()
    assert output(builds, "cat /one /two; ls /again", blueprint_id=blueprint.id) == "one\none\n/again\n"
    again = complete(builds, dockerfile=dockerfile)
    assert said(builds, again.id).count("Using cache") == said(builds, again.id).count("STEP ")


def test_what_is_removed_is_gone_and_what_replaces_it_is_alone(builds: Runloop) -> None:
    dockerfile = f"""FROM loopyard-base
{fresh()}RUN mkdir -p /srv/d/e && touch /srv/d/e/old /srv/gone
RUN rm -r /srv/d /srv/gone && mkdir -p /srv/d/e && touch /srv/d/e/new
RUN ls /srv/d/e && mv /srv/d /srv/moved
COPY --from=loopyard-base /etc/debian_version /srv/d/
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    printed = output(builds, "cd /srv; find . -type f | sort", blueprint_id=blueprint.id)
    assert printed == "./d/debian_version\n./moved/e/new\n"


def test_an_image_of_nothing_is_what_is_copied(builds: Runloop, busybox: str) -> None:
    dockerfile = f"FROM scratch\nCOPY --from={busybox} /bin /bin\nENV A=b\nWORKDIR /w\nRUN echo $A > said\n"
    blueprint = complete(builds, dockerfile=dockerfile)
    assert output(builds, "cat said; pwd", blueprint_id=blueprint.id) == "b\n/w\n"


def test_faults_are_told_with_their_place_before_anything_runs(builds: Runloop) -> None:
    cases = {
        "FROM loopyard-base\nRUN echo ran\nFOO bar\n": "Dockerfile:3:1",
        "FROM loopyard-base\nRUN echo ran\nRUN --mount=type=ssh true\n": "ssh",
        "FROM loopyard-base\nRUN echo ran\nRUN --network=host true\n": "host",
        "FROM loopyard-base\nRUN echo ran\nCOPY --from=none a /a\n": "none",
    }
    for dockerfile, told in cases.items():
        failed = build(builds, dockerfile=dockerfile)
        assert failed.status == "failed"
        lines = said(builds, failed.id)
        assert told in lines
        assert "STEP" not in lines
        assert "Traceback" not in lines


def test_lines_in_files_of_the_network_are_kept_and_the_servers_are_not_in_the_image(builds: Runloop) -> None:
    dockerfile = f"""FROM loopyard-base AS made
{fresh()}RUN echo '10.9.8.7 from-build' >> /etc/hosts
RUN grep from-build /etc/hosts && getent hosts localhost
FROM loopyard-base
RUN --mount=type=bind,from=made,source=/,target=/made cat /made/etc/hosts > /srv/hosts; ls /made/dev > /srv/dev
RUN ls -A / > /srv/top
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    printed = output(builds, "cat /srv/hosts; wc -c < /srv/dev; cat /srv/top", blueprint_id=blueprint.id)
    assert "from-build" in printed
    assert "Loopyard" not in printed
    assert "made" not in printed.splitlines()
