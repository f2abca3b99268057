#!/usr/bin/env python3
"""Sends requests that are not plainly one request to a gateway over its real listener, and holds what the pod was sent against h11,
httptools and nginx: each has to frame it as the gateway does. First the corpus, then what is made of it by chance.

Ends with 1 at the first findings, each with the bytes to add to the corpus.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Benchmarks")]

import corpus  # noqa: E402
import readers  # noqa: E402
from echo_pod import Connection, Recorder, Teller, listen  # noqa: E402
from harness import programs  # noqa: E402
from harness.processes import HarnessError, Session, free_ports, raise_descriptor_limit, wait_until_listening  # noqa: E402

#: Of the gateway: what does not come is told soon.
PATIENCE = 0.5
#: Nothing takes longer: else it hangs.
LONGEST = 8.0
#: As often as one input is sent at most.
REPETITIONS = 10
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: sentinel\r\n\r\n"
#: Fields that only the transport of one connection may have, and that the gateway therefore never passes on.
NEVER = {b"transfer-encoding", b"connection", b"upgrade", b"expect", b"te", b"keep-alive", b"proxy-connection", b"http2-settings", b"trailer"}
ONCE = {b"host", b"neutrino-request-id", b"neutrino-resources", b"x-forwarded-for", b"x-forwarded-proto"}


@dataclass
class Outcome:
    """What became of one connection."""

    statuses: list[int] = field(default_factory=list)
    #: The ids of the answers that pods gave.
    ids: list[str] = field(default_factory=list)
    #: Whether the request behind it was answered as a request of its own.
    goes_on: bool = False
    hangs: bool = False
    #: Whether this process stood still while it sent: who sends nothing in PATIENCE is closed without a word, in mid-request with 408.
    was_held: bool = False


async def send(port: int, pieces: list[bytes], recorder: Recorder, counts: Counter[str]) -> Outcome:
    """As `send_once`; again, and counted, where the gateway waited in vain and this process is to blame for it."""
    for _ in range(REPETITIONS):
        outcome = await send_once(port, pieces, recorder)
        is_answered = outcome.statuses or outcome.goes_on or outcome.hangs
        if not outcome.was_held or is_answered and 408 not in outcome.statuses:
            break
        counts["sent again, since this process stood still"] += 1
    return outcome


async def send_once(port: int, pieces: list[bytes], recorder: Recorder) -> Outcome:
    """Sends the pieces and one plain request behind them, and reads answers until that is answered or the connection ends."""
    outcome = Outcome()
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        async with asyncio.timeout(LONGEST):
            with contextlib.suppress(ConnectionError):
                for index, piece in enumerate(pieces):
                    if index:
                        await asyncio.sleep(0.002)
                    writer.write(piece)
                writer.write(SENTINEL)
            outcome.was_held = time.monotonic() - begin > PATIENCE / 2
            while (answer := await read_any_answer(reader, pieces, outcome)) is not None:
                status, key = answer
                if key in recorder.requests and b"\r\nHost: sentinel\r\n" in recorder.requests[key]:
                    outcome.goes_on = recorder.requests[key].startswith(b"GET /sentinel HTTP/1.1\r\n")
                    return outcome
                outcome.statuses.append(status)
                if key in recorder.requests:
                    outcome.ids.append(key)
    except TimeoutError:
        outcome.hangs = True
    finally:
        writer.close()
    return outcome


async def read_any_answer(reader: asyncio.StreamReader, pieces: list[bytes], outcome: Outcome) -> tuple[int, str] | None:
    """One answer of the gateway's; an answer to HEAD is known by the next one's beginning."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    fields = {}
    for line in head.split(b"\r\n")[1:-2]:
        name, _, value = line.partition(b": ")
        fields[name.lower()] = value
    status = int(head[9:12])
    length = int(fields.get(b"content-length", 0)) if status >= 200 else 0
    if length:
        # After the head of an answer to HEAD comes the next head, or nothing.
        body = await peek(reader, length)
        if not body.startswith(b"HTTP/1.1 "):
            try:
                await reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError):
                return status, ""
    return status, fields.get(b"neutrino-request-id", b"").decode()


async def peek(reader: asyncio.StreamReader, length: int) -> bytes:
    """What comes next, without taking it."""
    while not reader._buffer and not reader.at_eof():  # noqa: SLF001 (there is no other way to look)
        await reader._wait_for_data("peek")  # noqa: SLF001
    return bytes(reader._buffer[:9])  # noqa: SLF001


class Judge:
    """Holds what was accepted against the other readers."""

    def __init__(self, recorder: Recorder, nginx: int):
        self.recorder = recorder
        self.nginx = nginx
        self.findings: list[str] = []
        self.counts: Counter[str] = Counter()

    def find(self, what: str, data: bytes, forwarded: bytes | None = None) -> None:
        line = f"{what}\n    sent:      {corpus.escape(data)}"
        if forwarded is not None:
            line += f"\n    forwarded: {corpus.escape(forwarded)}"
        self.findings.append(line)
        print(line, flush=True)

    async def judge(self, data: bytes, outcome: Outcome, nginx: bool) -> None:
        self.counts["inputs"] += 1
        if outcome.hangs:
            self.find("no end within %g s" % LONGEST, data)
        forwarded = [self.recorder.requests[key] for key in outcome.ids]
        self.counts["accepted requests"] += len(forwarded)
        self.counts["connections that went on" if outcome.goes_on else "connections that ended"] += 1
        if not outcome.statuses and not outcome.goes_on:
            self.find("closed without an answer", data)
        for request in forwarded:
            self.judge_forwarded(data, request)
        self.judge_intake(data, forwarded)
        if nginx:
            for request in forwarded[:1]:
                await self.judge_by_nginx(data, request)

    def judge_forwarded(self, data: bytes, request: bytes) -> None:
        """What a pod is sent: others read exactly this request of it, and no field is there that may not be."""
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        method, target, _ = lines[0].split(b" ")
        names = [line.split(b":", 1)[0].lower() for line in lines[1:]]
        wrong = [name for name in names if name in NEVER]
        wrong += [name for name in ONCE if names.count(name) != 1]
        wrong += [name for name in names if name.replace(b"_", b"-").startswith(b"neutrino-") and name not in ONCE]
        if names.count(b"content-length") > 1 or any(name != b"content-length" and name.replace(b"_", b"-") == b"content-length" for name in names):
            wrong.append(b"content-length")
        if wrong:
            self.find(f"forwarded with {wrong}", data, request)
        if any(byte < 0x20 and byte not in b"\r\n\t" or byte == 0x7F for byte in head) or head.count(b"\r") != head.count(b"\n"):
            self.find("a control character is forwarded", data, request)
        for name, read in (("h11", readers.by_h11), ("httptools", readers.by_httptools)):
            seen = read(request + readers.MARK)
            expected = [(method, target, body), (b"GET", b"/mark", b"")]
            self.counts[f"replayed to {name}"] += 1
            if seen.refusal and not seen.requests:
                # Refused as a whole: no other request, but nobody's to understand either.
                self.counts[f"refused by {name}: {seen.refusal}"] += 1
            elif seen.requests != expected:
                self.find(f"{name} reads {seen}", data, request)

    def judge_intake(self, data: bytes, forwarded: list[bytes]) -> None:
        """What a client sent, the sentinel behind it: where another server takes a request of it, it is the one that was forwarded."""
        for name, read in (("h11", readers.by_h11), ("httptools", readers.by_httptools)):
            seen = read(data + SENTINEL)
            mine = [self.parts(request) for request in forwarded]
            index = 0
            for method, target, body in seen.requests:
                if index == len(mine):
                    # Answered by the gateway itself, or refused: the stricter one.
                    break
                if not self.same(mine[index], (method, target, body)):
                    # The gateway answers some itself; what it forwards must be one that the others see, in this order.
                    continue
                index += 1
            # A head that is not whole for it is the stricter one's; a body that is not whole is one of another length.
            if index < len(mine) and not seen.refusal and (seen.is_in_body or not seen.is_partial):
                self.find(f"{name} reads what was sent as {seen}", data, mine[index][1])
            elif index < len(mine):
                self.counts[f"sent, and read no further by {name}"] += 1

    @staticmethod
    def parts(request: bytes) -> tuple[bytes, bytes, bytes]:
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        return method, target, body

    @staticmethod
    def same(mine: tuple[bytes, bytes, bytes], theirs: tuple[bytes, bytes, bytes]) -> bool:
        if (mine[0], mine[2]) != (theirs[0], theirs[2]):
            return False
        # An absolute target goes on as a path.
        target = theirs[1]
        if target[:7].lower() == b"http://" or target[:8].lower() == b"https://":
            return mine[1] == b"*" or target.endswith(mine[1]) or mine[1] == b"/" or mine[1][:2] == b"/?" and target.endswith(mine[1][1:])
        return mine[1] == target

    async def judge_by_nginx(self, data: bytes, request: bytes) -> None:
        self.counts["replayed to nginx"] += 1
        seen = await readers.by_nginx(self.nginx, request)
        method, target, body = self.parts(request)
        if seen.refusal and not seen.requests:
            self.counts[f"refused by nginx: {seen.refusal}"] += 1
            return
        expected = [(method, target, body), (b"GET", b"/mark", b"")]
        if method == b"HEAD":
            expected[0] = (b"HEAD", b"", b"")
        if seen.requests != expected:
            self.find(f"nginx reads {seen}", data, request)


NGINX = """
    underscores_in_headers on;
    large_client_header_buffers 8 128k;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{ proxy_pass http://127.0.0.1:{teller}; }}
    }}"""


class Bench:
    """The gateway, its pod and nginx; where it is asked for, a sidecar between the first two."""

    def __init__(self, session: Session, pod: int, teller: int, has_sidecar: bool):
        [port] = free_ports(1)
        self.nginx = programs.nginx(session, "nginx", port, NGINX.format(port=port, teller=teller), workers=1)
        settings = {
            "HEADER_TIMEOUT": PATIENCE,
            "BODY_TIMEOUT": PATIENCE,
            "LOG_LEVEL": "warning",
            "MAX_BODY_BYTES": "8MiB",
            "EVENT_LOOPS": 1,
        }
        if has_sidecar:
            [port] = free_ports(1)
            command = [programs.release_binary("neutrino-pod"), "--upstream", f"http://127.0.0.1:{pod}", "--host", "127.0.0.1", "--port", port]
            wait_until_listening(session.start("sidecar", command + ["--cpus", 10_000, "--memory-gb", 10_000]), port)
            pod = port
        self.gateway = programs.gateway(session, [f"http://127.0.0.1:{pod}"], settings=settings, ready=False)


async def play_corpus(cases: list[corpus.Case], bench: Bench, judge: Judge) -> None:
    """Each case at once, and cut in two in several places; the answers have to be those that the corpus says."""
    for case in cases:
        cuts = [0] + sorted(random.Random(len(case.data)).sample(range(1, len(case.data)), min(3, len(case.data) - 1)))
        for cut in cuts:
            pieces = [case.data[:cut], case.data[cut:]] if cut else [case.data]
            outcome = await send(bench.gateway.port, pieces, judge.recorder, judge.counts)
            statuses = [str(status) for status in outcome.statuses]
            told = " ".join(statuses + (["+"] if outcome.goes_on else []))
            expected = " ".join([*case.statuses] + (["+"] if case.goes_on else []))
            if told != expected:
                judge.find(f"{case.name}: answered {told or 'nothing'}, not {expected}" + (f" (cut at {cut})" if cut else ""), case.data)
            await judge.judge(case.data, outcome, nginx=cut == 0)


async def play_mutations(options: argparse.Namespace, cases: list[corpus.Case], bench: Bench, judge: Judge) -> None:
    mutator = corpus.Mutator(options.seed, cases)
    end = time.monotonic() + options.seconds if options.seconds else float("inf")
    count = 0

    async def worker(number: int) -> None:
        nonlocal count
        chance = random.Random(options.seed * 1000 + number)
        while count < options.count and time.monotonic() < end and len(judge.findings) < options.findings:
            count += 1
            data = mutator.next()
            pieces = [data]
            if len(data) > 1 and chance.random() < 0.3:
                cut = chance.randrange(1, len(data))
                pieces = [data[:cut], data[cut:]]
            outcome = await send(bench.gateway.port, pieces, judge.recorder, judge.counts)
            await judge.judge(data, outcome, nginx=chance.randrange(options.nginx) == 0)
            for key in outcome.ids:
                judge.recorder.requests.pop(key, None)
            if not bench.gateway.process.is_alive:
                judge.find("the gateway ended:\n" + bench.gateway.process.tail(40), data)
                return

    await asyncio.gather(*(worker(number) for number in range(options.connections)))


async def run(options: argparse.Namespace, session: Session) -> int:
    recorder = Recorder()
    _, pod = await listen(lambda: Connection(recorder))
    _, teller = await listen(Teller)
    # The pod answers from this event loop: starting must not hold it up.
    bench = await asyncio.to_thread(Bench, session, pod, teller, options.sidecar)
    judge = Judge(recorder, bench.nginx.port)
    begin = time.monotonic()
    cases = corpus.read()
    if not options.no_corpus:
        await play_corpus(cases, bench, judge)
    if options.count:
        await play_mutations(options, cases, bench, judge)
    for problem in recorder.problems[: options.findings]:
        judge.findings.append(problem)
        print(problem)
    if not bench.gateway.process.is_alive:
        print(bench.gateway.process.tail(40))
    print(f"seed {options.seed}, {time.monotonic() - begin:.0f} s")
    for name, count in sorted(judge.counts.items()):
        print(f"{count:9}  {name}")
    print(f"{len(judge.findings):9}  findings")
    # Else the comparison would say nothing.
    return 1 if judge.findings or judge.counts["accepted requests"] < judge.counts["inputs"] / 10 else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000, help="inputs made by chance; 0 for the corpus alone")
    parser.add_argument("--seconds", type=float, default=0, help="no more of them are begun after so long; 0 for no bound")
    parser.add_argument("--connections", type=int, default=32, help="at once")
    parser.add_argument("--nginx", type=int, default=5, help="one accepted request in so many goes to nginx too")
    parser.add_argument("--findings", type=int, default=20, help="stop after so many")
    parser.add_argument("--no-corpus", action="store_true")
    parser.add_argument("--sidecar", action="store_true", help="the pod stands behind neutrino-pod: what gets there was forwarded twice")
    parser.add_argument("--keep", action="store_true", help="keep the folders of databases and logs")
    return parser.parse_args()


def main() -> int:
    options = parse()
    raise_descriptor_limit()
    with Session(options.keep) as session:
        return asyncio.run(run(options, session))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"fuzz: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
