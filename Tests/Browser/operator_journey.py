#!/usr/bin/env python3
"""Line 1 of issue 3, as one story: an operator sees a GPU request held, lets it go by changing its route's hold timeout, and replays it.

Used by the tests here, and by `Tests/Verify`, which runs it as a program and reads its figures as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Verify"), str(HERE.parent / "Benchmarks")]

from browser import Browser, chromium  # noqa: E402
from cluster import GPUS, Call, Cluster  # noqa: E402
from harness.processes import Session, wait_for  # noqa: E402

ROUTE = "POST /gpu"
#: Long enough that only the operator ends the wait.
HOLD = 300.0
SCRIPT = "<script>window.wasRun = true</script>"
BODY = json.dumps({"prompt": SCRIPT}).encode()
HEADERS = {"Content-Type": "application/json", "X-Note": f"<img src=x onerror='window.wasRun = true'>{SCRIPT}"}


def take_all_gpus(cluster: Cluster, seconds: float) -> list[Call]:
    tasks = [Call(f"{cluster.gateway.url}/gpu?ms={seconds * 1000:.0f}") for _ in range(GPUS)]
    wait_for("all GPUs are taken", lambda: sum(pod.stats()["in_use"]["gpus"] for pod in cluster.pods) == GPUS, 10)
    return tasks


def page(cluster: Cluster, query: str = "") -> str:
    return f"http://127.0.0.1:{cluster.gateway.admin}/admin{query}"


def set_hold_timeout(browser: Browser, route: str, time: str, asks: bool = False) -> None:
    """In place, under Routes, by pointer; where some have waited longer already it asks."""
    browser.click("nav a", "Routes")
    row = browser.see("#routes tr", route)
    row.find_element("css selector", "[aria-label^='Hold timeout'].value").click()
    browser.focused.send_keys(f"{time}\n")
    if asks:
        browser.click("dialog button", "Set it")
    browser.until("the operator's value is shown", lambda: "operator" in browser.see("#routes tr", route).text)


class Journey:
    """The story's steps, each leaving what the next needs; `figures` are the seconds that some of them took."""

    def __init__(self, browser: Browser, cluster: Cluster):
        self.browser = browser
        self.cluster = cluster
        self.figures: dict[str, float] = {}
        self.tasks: list[Call] = []

    def run(self) -> dict[str, float]:
        self.sees_it_held()
        self.lets_it_end()
        self.opens_it()
        self.replays_it()
        return self.figures

    def sees_it_held(self) -> None:
        began = time.monotonic()
        self.browser.open(page(self.cluster))
        self.browser.see("#connection", "live")
        self.browser.see("#pods-title")
        self.figures["page load"] = time.monotonic() - began
        self.tasks = take_all_gpus(self.cluster, seconds=6)
        self.call = Call(f"{self.cluster.gateway.url}/gpu?ms=5", HEADERS, body=BODY)
        line = self.browser.see("#overview [aria-label^='Lines'] tr", ROUTE)
        self.figures["held request shown"] = time.monotonic() - self.call.sent
        assert "gpus" in line.text and "needs gpus=1" in line.text, line.text

    def lets_it_end(self) -> None:
        set_hold_timeout(self.browser, ROUTE, "100ms", asks=True)
        answer = self.call.result(10)
        assert answer.status == 503, answer
        self.id = answer.headers["Neutrino-Request-Id"]
        self.browser.click("nav a", "Requests")
        self.browser.click("#requests .chip", "expired")
        row = self.browser.see("#requests tbody tr", "expired")
        assert "no capacity" in row.text, row.text

    def opens_it(self) -> None:
        self.browser.click("#requests tbody a", "/gpu?ms=5")
        entry = self.browser.see("#entry", self.id)
        for text in ("expired", "no capacity", "503", SCRIPT, "needs gpus=1"):
            assert text in entry.text, f"{text} is not in:\n{entry.text}"
        assert self.browser.run("return document.querySelectorAll('#entry script, #entry img').length") == 0
        assert not self.browser.run("return window.wasRun")

    def replays_it(self) -> None:
        self.browser.click("nav a", "Routes")
        self.browser.click("#routes .edit button", "back to")
        self.browser.driver.back()
        self.browser.click("#entry-replay")
        began = time.monotonic()
        self.browser.click("dialog button", "Replay")
        self.browser.until("another request is open", lambda: self.id not in self.browser.driver.current_url)
        self.browser.see("#entry .entry-head", "completed", 20)
        self.figures["replay seen complete"] = time.monotonic() - began
        entry = self.browser.see("#entry")
        assert self.id in entry.text, f"it does not name what it replays:\n{entry.text}"
        for task in self.tasks:
            assert task.result(20).status == 200


def main() -> None:
    with Session() as session, chromium() as browser:
        cluster = Cluster(session, hold=HOLD)
        figures = Journey(browser, cluster).run()
        print(json.dumps({"figures": figures, "complaints": browser.complaints()}))


if __name__ == "__main__":
    main()
