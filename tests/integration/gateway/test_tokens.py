"""Whose tokens count, from where, and for how long."""

import json
import re
from typing import Any

import pytest
from runloop_api_client import APIStatusError, BadRequestError, ConflictError, NotFoundError, Runloop

from tests.integration.gateway.conftest import Box, MakeBox
from tests.integration.gateway.upstream import SECRET, Upstream


def _status(box: Box, token: str, *, url: str = "$MODEL_URL") -> tuple[int, str]:
    out = box.run(f"curl -sS -m 10 -w '\\n%{{http_code}}' -H 'x-api-key: {token}' {url}/x")[1]
    body, _, status = out.rpartition("\n")
    return int(status or 0), body


def _token(box: Box) -> str:
    return box.run("echo $MODEL")[1].strip()


def test_without_a_token_nothing_passes(box: Box, upstream: Upstream) -> None:
    asked = len(upstream.asked)
    for token in ("", "gws_" + "A" * 43, "sk-something"):
        status, body = _status(box, token)
        assert status == 401
        assert "token" in json.loads(body)["error"]["message"]
    assert len(upstream.asked) == asked


def test_a_minted_token_works_from_its_own_devbox_only(
    client: Runloop, make_box: MakeBox, config: str, secret: str
) -> None:
    own, other = make_box(), make_box()
    made = client.devboxes.create_gateway_token(own.id, gateway=config, secret=secret)
    assert re.fullmatch(r"gws_[\w-]{43}", made.token)
    assert (made.devbox_id, made.gateway_config_id, made.auth_mechanism.type) == (own.id, config, "bearer")
    assert _status(own, made.token, url=made.url)[0] == 200
    assert _status(other, made.token, url=made.url) == _status(other, "gws_" + "B" * 43, url=made.url)
    assert _status(other, made.token, url=made.url)[0] == 401
    assert SECRET not in str(made)


def test_a_token_dies_with_its_devbox(
    client: Runloop, make_box: MakeBox, config: str, secret: str, upstream: Upstream
) -> None:
    box = make_box(gateways={"MODEL": {"gateway": config, "secret": secret}})
    upstream.hung_up.clear()
    client.devboxes.execute_async(box.id, command='curl -sS -H "x-api-key: $MODEL" $MODEL_URL/endless -o /tmp/got')
    assert box.run("until [ -s /tmp/got ]; do sleep 0.05; done")[0] == 0
    client.devboxes.shutdown(box.id)
    assert upstream.hung_up.wait(5), "a call goes on for a devbox that has ended"
    with pytest.raises(ConflictError):
        client.devboxes.create_gateway_token(box.id, gateway=config, secret=secret)


def test_tokens_stay_valid_after_a_resume(client: Runloop, make_box: MakeBox, config: str, secret: str) -> None:
    box = make_box(gateways={"MODEL": {"gateway": config, "secret": secret}})
    minted = client.devboxes.create_gateway_token(box.id, gateway=config, secret=secret)
    before = _token(box)
    client.devboxes.suspend(box.id)
    client.devboxes.await_suspended(box.id)
    client.devboxes.resume(box.id)
    client.devboxes.await_running(box.id)
    for token in (before, minted.token, _token(box)):
        assert _status(box, token)[0] == 200


def test_the_policy_decides(client: Runloop, make_box: MakeBox, config: str, secret: str) -> None:
    gateways = {"MODEL": {"gateway": config, "secret": secret}}
    closed = make_box(policy={"description": "nothing"}, gateways=gateways)
    assert closed.run('curl -sS -m 5 -H "x-api-key: $MODEL" $MODEL_URL/x')[0] == 7
    tools_only = make_box(policy={"allow_mcp_gateway": True}, gateways=gateways)
    status, body = _status(tools_only, _token(tools_only))
    assert (status, "allow_agent_gateway" in body) == (403, True)
    for policy in (None, {"allow_all": True}, {"allow_agent_gateway": True}):
        open_box = make_box(policy=policy, gateways=gateways)
        assert _status(open_box, _token(open_box))[0] == 200
    policy_id = client.devboxes.retrieve(closed.id).launch_parameters.network_policy_id
    assert policy_id is not None
    client.network_policies.update(policy_id, allow_agent_gateway=True)
    assert _status(closed, _token(closed))[0] == 200


def test_open_calls_end_when_the_policy_no_longer_allows_them(
    client: Runloop, make_box: MakeBox, config: str, secret: str, upstream: Upstream
) -> None:
    gateways = {"MODEL": {"gateway": config, "secret": secret}}
    box = make_box(policy={"allow_agent_gateway": True}, gateways=gateways)
    policy_id = client.devboxes.retrieve(box.id).launch_parameters.network_policy_id
    assert policy_id is not None
    upstream.hung_up.clear()
    client.devboxes.execute_async(box.id, command='curl -sS -H "x-api-key: $MODEL" $MODEL_URL/endless -o /tmp/got')
    assert box.run("until [ -s /tmp/got ]; do sleep 0.05; done")[0] == 0
    client.network_policies.update(policy_id, allow_mcp_gateway=True)
    size = box.run("stat -c %s /tmp/got")[1]
    grows = f'for _ in $(seq 100); do [ "$(stat -c %s /tmp/got)" -gt {size.strip()} ] && exit; sleep 0.05; done; exit 1'
    assert box.run(grows)[0] == 0
    client.network_policies.update(policy_id, allow_agent_gateway=False)
    assert upstream.hung_up.wait(5), "a call goes on that the policy does not allow"
    assert _status(box, _token(box))[0] == 403


def test_secrets_are_looked_up_at_each_call(client: Runloop, make_box: MakeBox, config: str) -> None:
    secret = client.secrets.create(name="ROTATED", value="first")
    box = make_box(gateways={"MODEL": {"gateway": config, "secret": "ROTATED"}})
    assert "Bearer first" in box.curl("/")
    client.secrets.update("ROTATED", value="second")
    assert "Bearer second" in box.curl("/")
    client.secrets.update("ROTATED", value="two\nlines")
    assert json.loads(box.curl("/"))["code"] == "secret_unfit"
    client.secrets.delete("ROTATED")
    answer = json.loads(box.curl("/"))
    assert (answer["code"], secret.id in answer["message"]) == ("secret_missing", True)


def test_requests_for_tokens_are_checked(client: Runloop, make_box: MakeBox, config: str, secret: str) -> None:
    box = make_box()
    with pytest.raises(NotFoundError) as refused:
        client.devboxes.create_gateway_token(box.id, gateway="gwc_none", secret=secret)
    assert _field(refused.value) == "gateway"
    with pytest.raises(BadRequestError) as refused_secret:
        client.devboxes.create_gateway_token(box.id, gateway=config, secret="none")
    assert _field(refused_secret.value) == "secret"
    with pytest.raises(NotFoundError):
        client.devboxes.create_gateway_token("dbx_none", gateway=config, secret=secret)


def test_requests_for_devboxes_are_checked(client: Runloop, config: str, secret: str) -> None:
    good = {"gateway": config, "secret": secret}
    cases = [
        ({"gateways": {"MODEL": {**good, "gateway": "none"}}}, "gateways.MODEL.gateway"),
        ({"gateways": {"MODEL": {**good, "secret": "none"}}}, "gateways.MODEL.secret"),
        ({"gateways": {"MODEL": good}, "environment_variables": {"MODEL_URL": "x"}}, "gateways.MODEL"),
        ({"gateways": {"A": good, "A_URL": good}}, "gateways.A_URL"),
    ]
    for fields, field in cases:
        with pytest.raises(APIStatusError) as refused:
            client.devboxes.create(**fields)  # type: ignore[arg-type]
        assert (refused.value.status_code in (400, 404), _field(refused.value)) == (True, field)
    with pytest.raises(BadRequestError):
        client.devboxes.create(gateways={"not a name": good})  # type: ignore[dict-item]


def _field(error: APIStatusError) -> object:
    body: Any = error.body
    return body.get("field")
