"""Counting tokens in answers of every API, however they are encoded and cut into pieces."""

import json
import random
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.decoding import zstd
from loopyard.model_usage.metering.meter import Measured, Meter, Outcome
from loopyard.model_usage.metering.tokens import Tokens
from tests.model_answers import ANSWERS, ENCODINGS, MESSAGES_TOKENS


def measure(
    api: Api, body: bytes, *, cuts: list[int] | None = None, encoding: str = "", status: int = 200, whole: bool = True
) -> Measured:
    """What a meter says of a body that comes in pieces, cut at these places."""
    meter = Meter(api, status, encoding)
    for start, end in pairwise([0, *sorted(cut for cut in cuts or [] if cut < len(body)), len(body)]):
        meter.feed(body[start:end])
    return meter.finish(complete=whole)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_answer_is_counted(name: str, encoding: str) -> None:
    answer, (header, encode) = ANSWERS[name], ENCODINGS[encoding]
    body = encode(answer.body)
    for size in (len(body), 1, 7, 100):
        found = measure(answer.api, body, cuts=list(range(0, len(body), size)), encoding=header)
        assert found.outcome == Outcome.COUNTED, found.reason
        assert (found.tokens, found.model) == (answer.tokens, answer.model)
        assert found.streamed is answer.streamed


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_chunking_gives_the_same_counts(data: st.DataObject) -> None:
    answer = ANSWERS[data.draw(st.sampled_from(sorted(ANSWERS)))]
    header, encode = ENCODINGS[data.draw(st.sampled_from(sorted(ENCODINGS)))]
    body = encode(answer.body)
    kept = data.draw(st.integers(0, len(body)))
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=20))
    whole = measure(answer.api, body[:kept], encoding=header, whole=kept == len(body))
    cut = measure(answer.api, body[:kept], cuts=cuts, encoding=header, whole=kept == len(body))
    assert cut == whole


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["usage", "model", "a", "message", "response", '"', "\\"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_JSON, st.sampled_from([None, 2]), st.booleans(), st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=150, deadline=None)
def test_usage_is_found_where_a_parser_finds_it(
    value: object, indent: int | None, ascii_only: bool, cuts: list[int]
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    body = json.dumps({"x": value, "usage": usage, "y": value}, indent=indent, ensure_ascii=ascii_only)
    found = measure(Api.CHAT, body.encode(errors="surrogatepass"), cuts=cuts)
    assert found.tokens == Tokens(3, 4)


@given(st.binary(max_size=300), st.sampled_from(sorted(Api)), st.lists(st.integers(0, 300), max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise(body: bytes, api: Api, cuts: list[int]) -> None:
    for encoding in ("", "gzip", "br", "zstd", "deflate", "compress", ", ,"):
        assert measure(api, body, cuts=cuts, encoding=encoding).outcome in (Outcome.UNTOLD, Outcome.COUNTED)


@pytest.mark.parametrize("name", sorted(name for name, answer in ANSWERS.items() if answer.streamed))
def test_a_stream_that_is_cut_off_says_so(name: str) -> None:
    answer = ANSWERS[name]
    found = measure(answer.api, answer.body[: len(answer.body) * 2 // 3], whole=False)
    assert found.outcome == Outcome.CUT_OFF
    assert found.model == answer.model
    assert found.usage is None
    assert found.tokens.total <= answer.tokens.total


def test_what_a_cut_off_stream_had_told_is_kept() -> None:
    answer = ANSWERS["messages-stream"]
    found = measure(Api.MESSAGES, answer.body[: answer.body.index(b"event: message_delta")], whole=False)
    assert found.outcome == Outcome.CUT_OFF
    assert found.tokens == Tokens(
        input=MESSAGES_TOKENS.input,
        output=1,
        cache_read=MESSAGES_TOKENS.cache_read,
        cache_write=MESSAGES_TOKENS.cache_write,
    )


@pytest.mark.parametrize(
    ("name", "last"),
    [("messages-stream", b"event: message_stop"), ("responses-stream", b"no such"), ("chat", b"no such")],
)
def test_a_cut_after_the_last_word_loses_nothing(name: str, last: bytes) -> None:
    answer = ANSWERS[name]
    end = answer.body.find(last)
    found = measure(answer.api, answer.body[: end if end > 0 else len(answer.body)], whole=False)
    assert (found.outcome, found.tokens) == (Outcome.COUNTED, answer.tokens)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Outcome.UNTOLD),
        (b"null", Outcome.UNTOLD),
        (b"<html>usage</html>", Outcome.UNTOLD),
        (b'{"usage": null}', Outcome.UNTOLD),
        (b'{"usage": {}}', Outcome.UNTOLD),
        (b'{"usage": []}', Outcome.UNTOLD),
        (b'{"usage": "many"}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": -1, "completion_tokens": 2}}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": 1.5, "completion_tokens": 2}}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": true, "completion_tokens": 2}}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": 1e400, "completion_tokens": 2}}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": 99999999999999999999, "completion_tokens": 2}}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": 1, "prompt_tokens_details": 3}}', Outcome.UNTOLD),
        (b'{"usage": {"unknown": 1}}', Outcome.UNTOLD),
        (b'{"choices": [{"usage": {"prompt_tokens": 1, "completion_tokens": 2}}]}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2, "x": "' + b"y" * 20_000 + b'"}}', Outcome.UNTOLD),
        (b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2, "new": {"deep": [{}]}}}', Outcome.COUNTED),
        (b'\xef\xbb\xbf\n {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}', Outcome.COUNTED),
        (b'{"usage": {"prompt_tokens": 1}}', Outcome.COUNTED),
        (b'data: {"usage":\ndata: {"prompt_tokens": 1,\ndata: "completion_tokens": 2}}\n', Outcome.COUNTED),
        (b': comment\r\rdata:{"usage": {"prompt_tokens": 1, "completion_tokens": 2}}\r\r', Outcome.COUNTED),
        (b'data: {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}', Outcome.COUNTED),
        (b'data: {"error": {"message": "overloaded"}}\n\n', Outcome.UNTOLD),
    ],
)
def test_answers_as_they_should_not_be(body: bytes, outcome: Outcome) -> None:
    for size in (1, 3, len(body) or 1):
        found = measure(Api.CHAT, body, cuts=list(range(0, len(body), size)))
        assert found.outcome == outcome
        assert (found.reason is None) == (outcome == Outcome.COUNTED)


def test_an_error_of_the_upstream_uses_nothing() -> None:
    body = ANSWERS["chat"].body
    found = measure(Api.CHAT, body, status=500)
    assert (found.outcome, found.tokens) == (Outcome.FAILED, Tokens())


def test_numbers_that_grow_from_event_to_event_count_once() -> None:
    events = b"".join(
        b'data: {"model": "m", "usage": {"prompt_tokens": 10, "completion_tokens": %d}}\n\n' % n for n in range(1, 6)
    )
    assert measure(Api.CHAT, events + b"data: [DONE]\n\n").tokens == Tokens(10, 5)
    assert measure(Api.CHAT, events, whole=False).outcome == Outcome.CUT_OFF


def test_a_name_of_a_model_is_made_harmless() -> None:
    body = json.dumps({"model": "a\x00\nb\u202e" + "c" * 500, "usage": {"prompt_tokens": 1}}).encode()
    assert measure(Api.CHAT, body).model == ("ab" + "c" * 500)[:200]


_HOSTILE = {
    "one long line": b"data: " + b"x" * 1000,
    "one long string": b'{"a": "' + b"x" * 1000,
    "a long usage": b'{"usage": {"a": "' + b"x" * 1000,
    "a long name": b'{"' + b"x" * 1000,
    "backslashes": b'{"a": "' + b"\\" * 1000,
    "open brackets": b'{"a": ' + b"[" * 1000,
    "closed brackets": b'{"a": [' + b"[]," * 400,
    "many names": b"{" + b'"a":1,' * 200,
    "many usages": b'data: {"usage": {"a%d": 1}}\n\n',
    "empty events": b"data:\n\n" * 200,
    "empty lines": b"x\n" * 500,
}


@pytest.mark.parametrize("name", sorted(_HOSTILE))
def test_answers_of_any_size_take_no_memory(name: str) -> None:
    start, rest = _HOSTILE[name][:100], _HOSTILE[name][100:] or _HOSTILE[name]
    piece = (rest * (65536 // len(rest) + 1))[:65536]
    meter = Meter(Api.CHAT, 200, "")
    meter.feed(start)
    tracemalloc.start()
    for number in range(30):
        meter.feed(piece.replace(b"%d", b"%d" % number) if b"%d" in piece else piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 1024**2
    assert meter.finish(complete=True).outcome == Outcome.UNTOLD


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_bombs_are_given_up(encoding: str) -> None:
    _, encode = ENCODINGS[encoding]
    bomb = encode(b"data: " + b"x" * 50_000_000)
    meter = Meter(Api.CHAT, 200, encoding)
    tracemalloc.start()
    meter.feed(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    found = meter.finish(complete=True)
    assert found.outcome == Outcome.UNTOLD
    assert found.reason is not None
    assert "grows" in found.reason
    assert peak < 4 * 1024**2


def test_zstd_may_not_ask_for_a_large_window() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    noise = random.Random(1).randbytes(2**20)  # noqa: S311
    body = compressor.compress(noise * 20) + compressor.flush()
    assert measure(Api.CHAT, body, encoding="zstd").outcome == Outcome.UNTOLD
