"""Huffman decoding, beside that of `hpack`."""

import pytest
from hpack import Decoder, Encoder, hpack
from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hypothesis import given
from hypothesis import strategies as some

from loopyard.http2.huffman import decode
from loopyard.http2.plain import PlainEncoder


@given(some.binary(max_size=200))
def test_what_was_encoded_is_decoded(text: bytes) -> None:
    assert decode(Encoder().huffman_coder.encode(text)) == text


@given(some.binary(max_size=6))
def test_any_bytes_are_decoded_or_refused_as_by_hpack(text: bytes) -> None:
    try:
        expected = decode_huffman(text)
    except HPACKDecodingError:
        with pytest.raises(HPACKDecodingError):
            decode(text)
    else:
        assert decode(text) == expected


def test_nothing_is_nothing() -> None:
    assert decode(b"") == decode(None) == b""


def test_heads_are_decoded_by_it() -> None:
    assert PlainEncoder
    assert hpack.decode_huffman is decode  # type: ignore[attr-defined]
    head = Encoder().encode([("x-long", "a" * 4000)], huffman=True)
    assert Decoder().decode(head) == [("x-long", "a" * 4000)]
