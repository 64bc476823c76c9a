"""Credentials are taken out of what is recorded; what only looks a little like them stays."""

import json

import pytest

from loopyard.model_usage.recording.redaction import REMOVED, Redaction

SECRET = "correct-horse-battery"
KNOWN = Redaction([f"Bearer {SECRET}", "gws_box", "short"])


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("authorization", False),
        ("proxy-authorization", False),
        ("x-api-key", False),
        ("api-key", False),
        ("x-goog-api-key", False),
        ("cookie", False),
        ("set-cookie", False),
        ("x-amz-security-token", False),
        ("x-client-secret", False),
        ("content-type", True),
        ("anthropic-ratelimit-tokens-remaining", True),
        ("x-ratelimit-limit-tokens", True),
        ("openai-organization", True),
        ("anthropic-version", True),
    ],
)
def test_headers(name: str, stays: bool) -> None:
    assert KNOWN.headers([(name, "value")]) == [[name, "value" if stays else REMOVED]]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/v1/a?key=abc&alt=sse", f"/v1/a?key={REMOVED}&alt=sse"),
        ("/v1/a?%61pi_key=abc", f"/v1/a?%61pi_key={REMOVED}"),
        ("/v1/a?X-Amz-Signature=1&token=2", f"/v1/a?X-Amz-Signature={REMOVED}&token={REMOVED}"),
        ("/v1/a?model=x&flag", "/v1/a?model=x&flag"),
        ("/v1/a", "/v1/a"),
        (f"/v1/{SECRET}/a?b={SECRET}", f"/v1/{REMOVED}/a?b={REMOVED}"),
    ],
)
def test_targets(target: str, told: str) -> None:
    assert KNOWN.target(target) == told


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        f"Bearer {SECRET}",
        "gws_" + "a" * 43,
        "sk-proj-" + "aB3_-" * 8,
        "sk-ant-api03-" + "aB3_-" * 8,
        "AIza" + "x" * 35,
        "ghp_" + "a1B2" * 9,
        "AKIA" + "ABCD" * 4,
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\ncut off",
    ],
)
def test_texts(secret: str) -> None:
    told = KNOWN.text(f"before {secret} after")
    assert secret not in told
    assert told.startswith("before ")
    assert json.dumps(KNOWN.json({"deep": [{"text": f"x {secret} y"}]})).count(REMOVED) >= 1


def test_members_of_json_are_known_by_their_names() -> None:
    value = {
        "mcp_servers": [{"authorization_token": "abc", "url": "https://x"}],
        "headers": {"Authorization": "Basic abc", "X-API-Key": "abc"},
        "password": "abc",
        "logprobs": [{"token": "abc", "logprob": -1}],
        "max_tokens": 5,
        "parameters": {"password": {"type": "string"}},
        "api_key": None,
    }
    assert KNOWN.json(value) == {
        "mcp_servers": [{"authorization_token": REMOVED, "url": "https://x"}],
        "headers": {"Authorization": REMOVED, "X-API-Key": REMOVED},
        "password": REMOVED,
        "logprobs": [{"token": "abc", "logprob": -1}],
        "max_tokens": 5,
        "parameters": {"password": {"type": "string"}},
        "api_key": None,
    }


@pytest.mark.parametrize(
    "text",
    ["short words stay", "ask-me-anything-about-sk-learn", "mcp_server", "task_1234567890abcdef", "Bearer of news"],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert KNOWN.text(text) == text
