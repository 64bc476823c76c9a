"""Refusals, as the official clients of each API understand them; and that they understand the tests' own answers."""

from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from google import genai
from google.genai import errors, types

from loopyard.gateway.observation import Refusal
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.refusals import refusal
from tests.model_answers import ANSWERS

Answered = Callable[[httpx.Request], httpx.Response]


def transport(answer: Answered, library: Any = httpx) -> Any:
    """A client of the library that the API's client is built on, answered without a network."""

    def answered(request: Any) -> Any:
        made = answer(httpx.Request(request.method, str(request.url)))
        return library.Response(made.status_code, headers=list(made.headers.items()), content=made.content)

    return library.Client(transport=library.MockTransport(answered))


def claude(answer: Answered, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="x", http_client=transport(answer, httpx2), **options)


def refused(with_what: Refusal, seen: list[httpx.Request]) -> Answered:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(with_what.status, headers=list(with_what.headers), content=with_what.body)

    return answer


def played(name: str) -> Answered:
    answer = ANSWERS[name]
    return lambda _: httpx.Response(200, headers={"content-type": answer.content_type}, content=answer.body)


def test_openai_clients_raise_a_rate_limit_and_do_not_try_again() -> None:
    for api in (Api.CHAT, Api.RESPONSES):
        seen: list[httpx.Request] = []
        client = openai.OpenAI(api_key="x", http_client=transport(refused(refusal(api, "spent"), seen)))
        calls: dict[Api, Callable[[], Any]] = {
            Api.CHAT: lambda client=client: client.chat.completions.create(model="m", messages=[]),
            Api.RESPONSES: lambda client=client: client.responses.create(model="m", input="x"),
        }
        with pytest.raises(openai.RateLimitError, match="spent") as caught:
            calls[api]()
        assert caught.value.code == "insufficient_quota"
        assert len(seen) == 1


def test_anthropic_clients_raise_a_rate_limit_and_do_not_try_again() -> None:
    seen: list[httpx.Request] = []
    client = claude(refused(refusal(Api.MESSAGES, "spent"), seen))
    with pytest.raises(anthropic.RateLimitError, match="spent"):
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert len(seen) == 1


def test_what_is_worth_trying_again_is_tried_again() -> None:
    seen: list[httpx.Request] = []
    crowded = Refusal(429, (*refusal(Api.MESSAGES, "many", again=True).headers, ("retry-after-ms", "1")), b"{}")
    client = claude(refused(crowded, seen), max_retries=1)
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert len(seen) == 2


def google(answer: Answered) -> genai.Client:
    options = types.HttpOptions(httpx_client=transport(answer))
    return genai.Client(api_key="x", http_options=options)


def test_google_clients_raise_a_client_error() -> None:
    models: Any = google(refused(refusal(Api.GEMINI, "spent"), [])).models
    with pytest.raises(errors.ClientError, match="spent") as caught:
        models.generate_content(model="gemini-2.5-flash", contents="x")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


def _chat(streamed: bool) -> Any:
    client = openai.OpenAI(api_key="x", http_client=transport(played("chat-stream" if streamed else "chat")))
    if not streamed:
        return client.chat.completions.create(model="m", messages=[]).usage
    return [*client.chat.completions.create(model="m", messages=[], stream=True)][-1].usage


def test_the_tests_answers_are_understood_by_the_official_clients() -> None:
    for streamed in (False, True):
        usage = _chat(streamed)
        assert (usage.prompt_tokens, usage.completion_tokens) == (1200, 340)
    client = openai.OpenAI(api_key="x", http_client=transport(played("responses-stream")))
    with client.responses.stream(model="m", input="x") as stream:
        used = stream.get_final_response().usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens_details.reasoning_tokens) == (5000, 512)
    anthropics = claude(played("messages-stream"))
    with anthropics.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]) as events:
        message = events.get_final_message()
    assert (message.usage.input_tokens, message.usage.output_tokens) == (25, 503)
    models: Any = google(played("gemini-stream")).models
    told = [*models.generate_content_stream(model="gemini-2.5-flash", contents="x")][-1].usage_metadata
    assert (told.prompt_token_count, told.candidates_token_count, told.thoughts_token_count) == (900, 120, 80)
