"""Programs that read text, change it, and write it."""

import hashlib
import re
from collections.abc import AsyncIterator

from tests.unit.fake_runtime.process import Body, Process
from tests.unit.fake_runtime.programs.options import options

_ESCAPE = re.compile(r"\\(n|t|r|a|\\|0?[0-7]{1,3}|x[0-9a-fA-F]{1,2})")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "\\": "\\"}
_UNITS = {"K": 1 << 10, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        what = found.group(1)
        if what in _SIMPLE:
            return _SIMPLE[what]
        number = int(what[1:], 16) if what.startswith("x") else int(what, 8)
        return bytes([number & 255]).decode("utf-8", "surrogateescape")

    return _ESCAPE.sub(one, text)


async def echo(process: Process, words: list[str]) -> int:
    end, escapes = "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        option = words.pop(0)
        end = "" if "n" in option else end
        escapes = escapes or "e" in option
    text = " ".join(words)
    await process.write((_unescaped(text) if escapes else text) + end)
    return 0


async def printf(process: Process, words: list[str]) -> int:
    form, *values = [word for index, word in enumerate(words) if index or word != "--"]
    out: list[str] = []

    def one(found: re.Match[str]) -> str:
        kind = found.group()[-1]
        if kind == "%":
            return "%"
        value = values.pop(0) if values else ""
        if kind == "b":
            return _unescaped(value)
        if kind == "q":
            return value if re.fullmatch(r"[\w./-]+", value) else "'" + value.replace("'", "'\\''") + "'"
        return found.group() % (float(value or 0) if kind in "fg" else int(value or 0) if kind in "dxo" else value)

    while True:
        before = len(values)
        out.append(re.sub(r"%[-0]?\d*(?:\.\d+)?[sdxofgbq%]", one, _unescaped(form)))
        if not values or len(values) == before:
            break
    await process.write("".join(out))
    return 0


async def _echo(process: Process) -> int:
    return await echo(process, process.argv[1:])


async def _printf(process: Process) -> int:
    return await printf(process, process.argv[1:])


async def _stream(process: Process, path: str) -> AsyncIterator[bytes]:
    stream = None if path == "-" else await process.open(path)
    while part := await (process.read() if stream is None else stream.read(1 << 16)):
        yield part
    if stream is not None:
        stream.shut()


async def _cat(process: Process) -> int:
    _, paths = options(process.argv[1:])
    status = 0
    for path in paths or ["-"]:
        try:
            async for part in _stream(process, path):
                await process.write(part)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            status = 1
            await process.complain(f"cat: {path}: {error.strerror}")
    return status


async def _tac(process: Process) -> int:
    await process.write(b"".join(reversed((await process.read_all()).splitlines(keepends=True))))
    return 0


def _size(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else int(text)


async def _head(process: Process) -> int:
    words = [re.sub(r"^-(\d+)$", r"-n\1", word) for word in process.argv[1:]]
    given, paths = options(words, "nc", ("lines", "bytes"))
    size = _size(given["c"]) if "c" in given else None
    lines = int(given.get("n", 10))
    for path in paths or ["-"]:
        left = size if size is not None else lines
        async for part in _stream(process, path):
            if size is not None:
                taken = part[:left]
                left -= len(taken)
            else:
                pieces = part.split(b"\n")
                taken = part if len(pieces) <= left else b"\n".join(pieces[:left]) + b"\n"
                left -= min(left, len(pieces) - 1)
            await process.write(taken)
            if left <= 0:
                break
    return 0


async def _tail(process: Process) -> int:
    words = [re.sub(r"^-(\d+)$", r"-n\1", word) for word in process.argv[1:]]
    given, paths = options(words, "nc")
    for path in paths or ["-"]:
        data = b"".join(await process.chunks(path))
        if "c" in given:
            await process.write(data[-int(given["c"]) :])
        elif (count := given.get("n", "10")).startswith("+"):
            await process.write(b"".join(data.splitlines(keepends=True)[int(count) - 1 :]))
        else:
            await process.write(b"".join(data.splitlines(keepends=True)[-int(count) :]))
    return 0


async def _wc(process: Process) -> int:
    given, paths = options(process.argv[1:])
    for path in paths or ["-"]:
        data = b"".join(await process.chunks(path))
        counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
        shown = " ".join(str(counts[letter]) for letter in "lwc" if not given or letter in given)
        await process.say(shown if path == "-" else f"{shown} {path}")
    return 0


async def _grep(process: Process) -> int:
    words = process.argv[1:]
    given, rest = options(words, "e")
    if "e" not in given:
        given["e"] = rest.pop(0)
    text = re.escape(given["e"]) if "F" in given else given["e"]
    if "F" not in given and "E" not in given:
        text = re.sub(r"\\([|(){}+?])", r"\1", re.sub(r"(?<!\\)([|(){}+?])", r"\\\1", text))
    wanted = re.compile(f"^(?:{text})$" if "x" in given else text, re.IGNORECASE if "i" in given else 0)
    found = 0
    for path in rest or ["-"]:
        try:
            content = b"".join(await process.chunks(path)).decode("utf-8", "surrogateescape")
        except OSError as error:
            if "s" not in given:
                await process.complain(f"grep: {path}: {error.strerror}")
            if not found and path == (rest or ["-"])[-1]:
                return 2
            continue
        lines = content.split("\n")
        for line in lines[:-1] if lines[-1] == "" else lines:
            match = wanted.search(line)
            if (match is None) != ("v" in given):
                continue
            found += 1
            if not {"q", "c"} & set(given):
                shown = match.group() if "o" in given and match else line
                await process.say(f"{path}:{shown}" if len(rest) > 1 else shown)
    if "c" in given:
        await process.say(str(found))
    return int(not found)


async def _sed(process: Process) -> int:
    """Substitutions, deletions and `p` alone, of lines that a pattern or a number names, in place or not."""
    given, rest = options(process.argv[1:], "e")
    script = given.get("e") or rest.pop(0)
    for path in rest or ["-"]:
        lines = b"".join(await process.chunks(path)).decode("utf-8", "surrogateescape").split("\n")
        ended = lines[-1] == ""
        made = [
            out
            for index, line in enumerate(lines[: len(lines) - ended])
            if (out := _edit(script, line, index + 1)) is not None
        ]
        text = "\n".join(made) + ("\n" if ended and made else "")
        if "i" in given:
            process.disk.file(process.path(path), process.who, wanted=2).data[:] = text.encode(
                "utf-8", "surrogateescape"
            )
        else:
            await process.write(text)
    return 0


def _edit(script: str, line: str, number: int) -> str | None:
    for one in script.split(";"):
        found = re.fullmatch(r"\s*(?:/(.*?)/|(\d+))?\s*(?:s(.)(.*?)\3(.*?)\3(g?)|(d))\s*", one)
        if found is None:
            raise OSError(22, f"unknown command: {one}")
        pattern, at, _, old, new, everywhere, deleted = found.groups()
        if (pattern is not None and not re.search(pattern, line)) or (at is not None and int(at) != number):
            continue
        if deleted:
            return None
        line = re.sub(old, re.sub(r"\\(\d)", r"\\\1", new).replace("&", r"\g<0>"), line, count=0 if everywhere else 1)
    return line


async def _tr(process: Process) -> int:
    given, sets = options(process.argv[1:])
    spread = [
        re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), _unescaped(s)) for s in sets
    ]
    text = (await process.read_all()).decode("utf-8", "surrogateescape")
    if "d" in given:
        await process.write(text.translate({ord(sign): None for sign in spread[0]}))
        return 0
    to = spread[1].ljust(len(spread[0]), spread[1][-1])
    await process.write(text.translate({ord(sign): to[index] for index, sign in enumerate(spread[0])}))
    return 0


async def _cut(process: Process) -> int:
    given, paths = options(process.argv[1:], "dfc")
    for path in paths or ["-"]:
        for line in b"".join(await process.chunks(path)).decode().splitlines():
            parts = list(line) if "c" in given else line.split(given.get("d", "\t"))
            chosen: list[str] = []
            for one in (given.get("f") or given["c"]).split(","):
                first, dash, last = one.partition("-")
                chosen += parts[int(first or 1) - 1 : int(last) if last else (None if dash else int(first))]
            await process.say(("" if "c" in given else given.get("d", "\t")).join(chosen))
    return 0


async def _sort(process: Process) -> int:
    given, paths = options(process.argv[1:])
    lines = [line for path in paths or ["-"] for line in b"".join(await process.chunks(path)).decode().splitlines()]
    lines.sort(key=_number if "n" in given else None, reverse="r" in given)
    for line in dict.fromkeys(lines) if "u" in given else lines:
        await process.say(line)
    return 0


def _number(line: str) -> tuple[float, str]:
    found = re.match(r"\s*(-?\d[\d.]*)", line)
    return (float(found[1]) if found else 0.0, line)


async def _uniq(process: Process) -> int:
    before: str | None = None
    for line in (await process.read_all()).decode().splitlines():
        if line != before:
            await process.say(line)
        before = line
    return 0


async def _seq(process: Process) -> int:
    numbers = [int(word) for word in process.argv[1:]]
    first, step, last = {1: (1, 1, numbers[-1]), 2: (numbers[0], 1, numbers[-1])}.get(len(numbers), tuple(numbers))
    await process.write("".join(f"{number}\n" for number in range(first, last + 1, step)))
    return 0


async def _yes(process: Process) -> int:
    block = f"{' '.join(process.argv[1:]) or 'y'}\n".encode() * 2048
    while True:
        await process.write(block)


async def _tee(process: Process) -> int:
    given, paths = options(process.argv[1:])
    outs = [await process.open(path, "a" if "a" in given else "w") for path in paths]
    while part := await process.read():
        await process.write(part)
        for out in outs:
            await out.write(part)
    for out in outs:
        out.shut()
    return 0


async def _sha256sum(process: Process) -> int:
    given, paths = options(process.argv[1:])
    failed = False
    for path in paths or ["-"]:
        data = b"".join(await process.chunks(path))
        if "c" not in given:
            await process.say(f"{hashlib.sha256(data).hexdigest()}  {path}")
            continue
        for line in data.decode().splitlines():
            digest, _, name = line.partition("  ")
            same = hashlib.sha256(b"".join(await process.chunks(name))).hexdigest() == digest
            failed = failed or not same
            await process.say(f"{name}: {'OK' if same else 'FAILED'}")
    return int(failed)


PROGRAMS: dict[str, Body] = {
    "echo": _echo, "printf": _printf, "cat": _cat, "tac": _tac, "head": _head, "tail": _tail, "wc": _wc,
    "grep": _grep, "sed": _sed, "tr": _tr, "cut": _cut, "sort": _sort, "uniq": _uniq, "seq": _seq, "yes": _yes,
    "tee": _tee, "sha256sum": _sha256sum,
}  # fmt: skip
