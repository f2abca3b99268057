"""The corpus of requests that are not plainly one request, and what is made of them by chance.

A line of a file is `name | statuses | bytes`, with escapes as in C and `<<text*count>>` for what is long. The statuses are those of the
answers in order, with `+` where the connection then takes the next request.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "corpus"
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


@dataclass(frozen=True)
class Case:
    name: str
    #: What is answered, such as `["200", "400"]`.
    statuses: tuple[str, ...]
    #: Whether the connection takes another request afterwards.
    goes_on: bool
    data: bytes


def unescape(text: str) -> bytes:
    """The bytes that a line's text stands for."""
    text = re.sub(r"<<(.*?)\*(\d+)>>", lambda match: match[1] * int(match[2]), text)

    def one(match: re.Match) -> str:
        escape = match[1]
        return (bytes([int(escape[1:], 16)]) if escape[0] == "x" else ESCAPES[escape]).decode("latin-1")

    return re.sub(r"\\(x[0-9a-fA-F]{2}|.)", one, text).encode("latin-1")


def escape(data: bytes) -> str:
    """The text of a line for some bytes."""
    text = ""
    for byte in data:
        found = next((letter for letter, value in ESCAPES.items() if value[0] == byte), None)
        text += f"\\{found}" if found else chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
    return text


def read() -> list[Case]:
    cases = []
    for file in sorted(FOLDER.glob("*.txt")):
        for line in file.read_text(encoding="ascii").splitlines():
            if not line or line.startswith("#"):
                continue
            name, statuses, data = line.split(" | ", 2)
            parts = statuses.split()
            goes_on = parts[-1] == "+"
            cases.append(Case(f"{file.stem}: {name}", tuple(parts[:-1] if goes_on else parts), goes_on, unescape(data)))
    return cases


#: What parsers are known to disagree about.
DELICATE = b"\0\t\n\x0b\x0c\r \"#,-019:;=CH\\af\x7f\x80\xc3\xff"
WORDS = [
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Host: y\r\n",
    b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b" HTTP/1.1", b" HTTP/1.0",
    b"\r\n\r\n", b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"5\r\nhello\r\n", b";a=b", b"chunked", b", ", b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", b"Content-Length", b"Transfer-Encoding", b": ", b" :", b"\r\n ", b"\r\n\t",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
]


#: Fields that are taken.
PLAIN = [
    b"Accept: */*", b"Connection: keep-alive", b"Connection: close", b"X-Empty:", b"X-Tab: a\tb", b"X-Latin: \xe4\xff", b"Cookie: a=b; c=d",
    b"Expect: 100-continue", b"TE: trailers", b"Upgrade: h2c", b"Connection: X-Tab, Content-Length", b"Neutrino_Resources: cpus=0",
    b"X-Forwarded-For: 1.2.3.4", b"Prefer: wait=1", b"Trailer: X-Sum", b"Via: 1.0 a, 1.1 b", b"traceparent: 00-x", b"Idempotency-Key: 1",
]


class Mutator:
    """Makes further requests of the corpus; the same seed makes the same ones."""

    def __init__(self, seed: int, cases: list[Case]):
        self.chance = random.Random(seed)
        # What is long says nothing more when it is changed, and takes long.
        self.seeds = [case.data for case in cases if len(case.data) < 2000]

    def next(self) -> bytes:
        """One input: one to three requests, of the corpus or plain ones, of which most are changed a little."""
        chance = self.chance
        data = bytearray()
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            data += self.plain() if chance.random() < 0.5 else chance.choice(self.seeds)
        for _ in range(chance.choice((0, 0, 1, 1, 1, 2, 3, 6))):
            self.change(data)
        return bytes(data)

    def plain(self) -> bytes:
        """A request that is one, in one of the ways in which it may be written."""
        chance = self.chance
        lines = [chance.choice((b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"PATCH", b"REPORT")) + b" "
                 + chance.choice((b"/", b"/a/b?c=d", b"http://a.example/x", b"/%41//..")) + b" HTTP/1.1", b"Host: a.example"]
        lines += chance.sample(PLAIN, chance.randrange(5))
        body = bytes(chance.randrange(256) for _ in range(chance.choice((0, 0, 1, 5, 40))))
        kind = chance.randrange(3)
        if kind == 1:
            lines.append(chance.choice((b"Content-Length: %d", b"content-length:%d", b"Content-Length:   00%d  ")) % len(body))
        elif kind == 2:
            lines.append(chance.choice((b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED ")))
            chunks = b""
            while body:
                size = chance.randrange(1, len(body) + 1)
                chunks += chance.choice((b"%x", b"0%X", b"%x;a=b", b'%x;a="b;c"')) % size + b"\r\n" + body[:size] + b"\r\n"
                body = body[size:]
            body = chunks + chance.choice((b"0\r\n\r\n", b"000;x\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"))
        else:
            body = b""
        head, *fields = lines
        chance.shuffle(fields)
        return b"\r\n".join([head, *fields, b"", b""]) + body

    def change(self, data: bytearray) -> None:
        chance = self.chance
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(8)
        if kind == 0:
            data[place:place] = chance.choice(WORDS)
        elif kind == 1:
            data[place:place] = bytes([chance.choice(DELICATE)])
        elif kind == 2:
            data[place : place + 1] = bytes([chance.choice(DELICATE)])
        elif kind == 3:
            data[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 4:
            del data[place : place + chance.choice((1, 1, 2, 5, 20))]
        elif kind == 5:
            data[place:place] = data[max(0, place - chance.randrange(1, 30)) : place]
        elif kind == 6:
            # A line more, twice or elsewhere: where most of what is known to go wrong is made.
            lines = data.split(b"\r\n")
            line = chance.choice(lines)
            if chance.random() < 0.3:
                lines.remove(line)
            lines.insert(chance.randrange(len(lines) + 1), line)
            data[:] = b"\r\n".join(lines)
        else:
            other = chance.choice(self.seeds)
            start = chance.randrange(len(other))
            data[place:place] = other[start : start + chance.randrange(1, 60)]
