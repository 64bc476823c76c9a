"""Fetches a file by HTTP: `python -I download.py URL TARGET MOST_BYTES`. The last line that it prints is JSON with what
is known of the file. It ends with 3 where there is more than it may fetch, and with 1 for all else that goes wrong."""

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_WAIT_SECONDS = 60
_NAME = re.compile(r"""filename="?([^";/\\]+)"?""")
_TOO_MUCH = 3


def main() -> int:
    url, target, most_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        _say("only HTTP is fetched")
        return 1
    # Neither files nor anything else that a redirection may name.
    handlers = (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler)
    opener = urllib.request.OpenerDirector()
    for kind in (
        *handlers,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(kind())
    opener.addheaders = [("User-Agent", "Loopyard")]
    try:
        with opener.open(url, timeout=_WAIT_SECONDS) as answer, Path(target).open("wb") as file:
            fetched = 0
            while chunk := answer.read(_CHUNK_BYTES):
                fetched += len(chunk)
                if fetched > most_bytes:
                    _say("it is larger than a step may write")
                    return _TOO_MUCH
                file.write(chunk)
            expected = answer.headers.get("Content-Length", "")
            if expected.isdigit() and int(expected) != fetched:
                _say(f"only {fetched} of {expected} bytes came")
                return 1
            named = _NAME.search(answer.headers.get("Content-Disposition", ""))
            _say(json.dumps({"name": named and named.group(1), "modified": _modified(answer.headers)}))
    except urllib.error.HTTPError as error:
        _say(f"it cannot be fetched: the server answered {error.code} {error.reason}")
        return 1
    except (OSError, HTTPException, ValueError) as error:
        _say(f"it cannot be fetched: {getattr(error, 'reason', error) or error}")
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _modified(headers: HTTPMessage) -> float | None:
    try:
        return parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp()
    except (TypeError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
