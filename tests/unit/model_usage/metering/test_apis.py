"""Which requests call a model."""

import pytest

from loopyard.model_usage.metering.apis import Api, api_of, is_array, model_of, socket_api_of


@pytest.mark.parametrize(
    ("target", "api"),
    [
        ("/v1/chat/completions", Api.CHAT),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=1", Api.CHAT),
        ("/v1beta/openai/chat/completions", Api.CHAT),
        ("/v1/responses", Api.RESPONSES),
        ("/v1/responses/compact", Api.RESPONSES),
        ("/v1/messages", Api.MESSAGES),
        ("/v1/messages?beta=true", Api.MESSAGES),
        ("/api/anthropic/v1/messages", Api.MESSAGES),
        ("/v1beta/models/gemini-2.5-pro:generateContent", Api.GEMINI),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", Api.GEMINI),
        ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", Api.GEMINI),
        # However it is written.
        ("/v1//messages", Api.MESSAGES),
        ("/v1/messages/", Api.MESSAGES),
        ("/v1/./messages", Api.MESSAGES),
        ("/v1/x/../messages", Api.MESSAGES),
        ("/v1/%6dessages", Api.MESSAGES),
        ("/v1%2Fmessages", Api.MESSAGES),
        pytest.param("/" * 9000 + "v1/messages", Api.MESSAGES, id="many slashes"),
        ("/v1beta/models/gemini%2D2.5-pro%3AgenerateContent", Api.GEMINI),
        # What is not metered.
        ("/v1/messages/count_tokens", None),
        ("/v1/messages/batches", None),
        ("/v1/models", None),
        ("/v1/embeddings", None),
        ("/v1/completions", None),
        ("/v1/responses/resp_1/cancel", None),
        ("/v1beta/models/gemini-2.5-pro:countTokens", None),
        ("/messages", None),
        ("/?/v1/messages", None),
        ("", None),
    ],
)
def test_a_request_is_known_by_its_path(target: str, api: Api | None) -> None:
    assert api_of("POST", target) == api
    assert api_of("GET", target) is None


def test_gemini_names_its_model_in_the_path() -> None:
    assert model_of("/v1beta/models/gemini-2.5-pro:generateContent?key=x") == "gemini-2.5-pro"
    assert model_of("/v1beta/models/a%0Ab:generateContent") == "ab"
    assert model_of("/v1/messages") is None


def test_a_stream_of_gemini_is_an_array_unless_events_are_asked_for() -> None:
    path = "/v1beta/models/g:streamGenerateContent"
    assert is_array(path)
    assert is_array(f"{path}?key=1")
    assert not is_array(f"{path}?key=1&alt=sse")
    assert not is_array("/v1beta/models/g:generateContent")


def test_places_where_a_websocket_would_call_a_model() -> None:
    assert socket_api_of("GET", "/v1/responses") == Api.RESPONSES
    assert socket_api_of("GET", "/v1/realtime?model=x") == Api.RESPONSES
    assert (
        socket_api_of("GET", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent")
        == Api.GEMINI
    )
    assert socket_api_of("GET", "/v1/responses/resp_1") is None
    assert socket_api_of("POST", "/v1/responses") is None
