"""Errors of the host's programs are told without the host's paths, and with all else."""

import pytest

from loopyard.runtime.crun.building.saying import without_paths


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Error: initializing source docker://blocked.example/a:1: registry blocked.example is blocked in "
            "/srv/conf/registries.conf or /etc/containers/registries.conf.d",
            "Error: initializing source docker://blocked.example/a:1: registry blocked.example is blocked",
        ),
        (
            'Error: loading registries configuration "/etc/containers/registries.conf": toml: line 3',
            "Error: loading registries configuration a file of the host: toml: line 3",
        ),
        (
            "Error: open /data/builds/bpt_1/logins.json: permission denied",
            "Error: open a file of the host: permission denied",
        ),
        (
            "[Errno 28] No space left on device: '/data/builds/a b'",
            "[Errno 28] No space left on device: a file of the host",
        ),
    ],
)
def test_paths_are_taken_out(said: str, told: str) -> None:
    assert without_paths(said) == told


@pytest.mark.parametrize(
    "said",
    [
        'Error: Get "https://127.0.0.1:5000/v2/team/tool/manifests/1": dial tcp 127.0.0.1:5000: connect: refused',
        "Error: reading manifest 1 in example.org/team/tool: unauthorized: who are you?",
        "fatal: repository 'http://example.org:80/a.git/' not found",
        "it is larger than a step may write; 3/4 done, and/or not",
        "git@example.org:team/tool.git and ssh://git@example.org/team/tool.git",
    ],
)
def test_urls_and_names_of_images_stay(said: str) -> None:
    assert without_paths(said) == said
