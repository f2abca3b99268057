#!/usr/bin/env python3
"""Line 1 of issue 6: pods come, change and go in a cluster, and how soon the gateway knows. Against kmock, and against a scripted API
server for what kmock cannot do.

Used by the tests here, and by `Tests/Verify`, which runs it as a program and reads its figures as JSON: seconds from the API server's
event to the gateway's use of it, the first poll of a pod included.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Verify"), str(HERE.parent / "Benchmarks")]

from api_servers import NAMESPACE, KmockServer, ScriptedServer, pod  # noqa: E402
from cluster import TaskPod, get_json, start_pod  # noqa: E402
from harness import programs  # noqa: E402
from harness.processes import HarnessError, Session, free_ports, wait_for  # noqa: E402

#: Seconds of silence after which a watch is renewed, and some for the renewal.
SILENCE = 35 + 5


class Story:
    """A gateway that finds its pods at an API server, and what it has found."""

    def __init__(self, session: Session, settings: dict, name: str):
        self.session = session
        settings = {"DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "app=pods", "K8S_NAMESPACE": NAMESPACE, **settings}
        for other in ("STATIC_BACKENDS", "KUBECONFIG", "K8S_API_URL"):
            settings.setdefault(other, None)
        self.gateway = programs.gateway(session, [], name, settings=settings)
        self.figures: dict[str, float] = {}

    def found(self) -> dict:
        return get_json(f"http://127.0.0.1:{self.gateway.admin}/admin/api/pods")

    def routable(self) -> set[str]:
        return {each["name"] for each in self.found()["pods"] if each["routable"]}

    def told_by_ready(self) -> str:
        """What is wrong with discovery; looked at once a second."""
        return get_json(f"{self.gateway.url}/ready")["problems"].get("discovery", "")

    def addresses(self) -> set[tuple[str, str]]:
        return {(each["name"], each["url"]) for each in self.found()["pods"] if each["routable"]}

    def until(self, what: str, since: float, condition, patience: float = 15) -> None:
        """Waits, and writes down how long it took since a moment."""
        while not condition():
            if time.monotonic() - since > patience:
                raise HarnessError(f"{what}: not within {patience} s; {json.dumps(self.found())[:2000]}")
            time.sleep(0.01)
        self.figures[what] = time.monotonic() - since

    def until_routable(self, what: str, since: float, *names: str, patience: float = 15) -> None:
        self.until(what, since, lambda: self.routable() == set(names), patience)

    def stays(self, *names: str) -> None:
        """All of these are used, whatever else is wrong."""
        if missing := set(names) - self.routable():
            raise HarnessError(f"dropped: {', '.join(sorted(missing))}")


def against_kmock(session: Session, pods: list[TaskPod]) -> dict[str, float]:
    one, two, three = (each.server.port for each in pods)
    with KmockServer() as api:
        api.add(pod("one", one))
        story = Story(session, {"K8S_API_URL": api.url}, "gateway-kmock")
        story.until_routable("kmock: found at the start", time.monotonic(), "one")
        story.until_routable("kmock: added", api.add(pod("two", two)), "one", "two")
        story.until_routable("kmock: made unready", api.patch(pod("two", two, ready=False)), "one")
        story.until_routable("kmock: ready again", api.patch(pod("two", two)), "one", "two")
        story.until_routable("kmock: added unready", api.add(pod("three", three, ready=False)), "one", "two")
        story.until_routable("kmock: became ready", api.patch(pod("three", three)), "one", "two", "three")
        story.until_routable("kmock: deleted", api.remove("two"), "one", "three")
        moved = api.patch(pod("three", two))
        story.until("kmock: moved to another port", moved, lambda: ("three", f"http://127.0.0.1:{two}") in story.addresses())
        [shown] = [each for each in story.found()["pods"] if each["name"] == "one"]
        if (shown["namespace"], shown["node"], shown["url"]) != (NAMESPACE, "node-1", f"http://127.0.0.1:{one}"):
            raise HarnessError(f"shown as {shown}")
        return story.figures


def kubeconfig(session: Session, url: str, token_file: Path) -> Path:
    document = {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"tokenFile": str(token_file)}}],
    }
    file = session.folder / "kubeconfig"
    file.write_text(json.dumps(document))
    return file


def against_the_scripted(session: Session, pods: list[TaskPod], silence: bool) -> dict[str, float]:
    one, two, three = (each.server.port for each in pods)
    token = session.folder / "token"
    token.write_text("first\n")
    with ScriptedServer(free_ports(1)[0]) as api:
        api.token = "first"
        api.put(pod("one", one))
        story = Story(session, {"KUBECONFIG": kubeconfig(session, api.url, token)}, "gateway-scripted")
        story.until_routable("found at the start", time.monotonic(), "one")
        story.until_routable("added", api.put(pod("two", two)), "one", "two")
        story.until_routable("relabelled away", api.put(pod("two", two, app="other")), "one")
        story.until_routable("relabelled back", api.put(pod("two", two)), "one", "two")
        story.until_routable("being deleted", api.put(pod("two", two, deleted=True)), "one")
        api.remove("two")

        since = api.put(pod("two", two))
        api.end_watches()
        story.until_routable("added as a watch ends", since, "one", "two")

        api.emit("ADDED", pod("three", three), heard=False)
        api.compact()
        api.end_watches()
        story.until_routable("410: found by the list", time.monotonic(), "one", "two", "three")
        story.until_routable("410: removed afterwards", api.remove("three"), "one", "two")

        # Rotated in good time, then too late.
        token.write_text("second\n")
        api.token = "second"
        api.end_watches()
        story.until_routable("added as the token rotates", api.put(pod("three", three)), "one", "two", "three")
        api.token = "third"
        api.end_watches()
        story.until("expired token told", time.monotonic(), lambda: "Unauthorized (401)" in (story.found()["discovery"].get("problem") or ""))
        story.stays("one", "two", "three")
        token.write_text("third\n")
        story.until("new token taken up", time.monotonic(), lambda: not story.found()["discovery"].get("problem"))

        lists = api.lists()
        api.stop()
        story.until("API server away, told", time.monotonic(), lambda: "cannot be reached" in (story.found()["discovery"].get("problem") or ""))
        time.sleep(3)
        story.stays("one", "two", "three")
        api.remove("three")
        api.start()
        story.until_routable("removed while the API server was away", time.monotonic(), "one", "two")
        story.until_routable("added after its restart", api.put(pod("three", three)), "one", "two", "three")
        if api.lists() > lists:
            raise HarnessError("the watch could have gone on from where it was, and everything was listed")

        story.until(
            "a pod without a usable port, told",
            api.put(pod("broken", 0)),
            lambda: any(each["mistake"] and each["name"] == "broken" for each in story.found()["discovery"]["skipped"]),
        )
        wait_for("/ready tells of it", lambda: "tasks/broken cannot be used" in story.told_by_ready(), 5)
        api.remove("broken")

        for number in range(500):
            api.emit("ADDED", pod(f"many-{number}", one, ip=None, ready=False), heard=False)
        api.compact()
        api.end_watches()
        story.until("500 more in one list", time.monotonic(), lambda: len(story.found()["discovery"]["skipped"]) == 200)
        if not any("continue=400" in each for each in api.requests):
            raise HarnessError("the list was not asked for in pages")
        story.stays("one", "two", "three")
        for number in range(500):
            api.emit("DELETED", api.pods[f"many-{number}"], heard=number == 499)
        api.compact()
        api.end_watches()
        story.until("500 gone again", time.monotonic(), lambda: not story.found()["discovery"]["skipped"])

        if silence:
            api.silent = True
            api.end_watches()
            time.sleep(1)
            api.silent = False
            story.until_routable("silent watch: removed", api.remove("three"), "one", "two", patience=SILENCE)
        return story.figures


def run(session: Session, silence: bool) -> dict[str, float]:
    pods = [start_pod(session, name, 8, 1, 32) for name in ("one", "two", "three")]
    return against_kmock(session, pods) | against_the_scripted(session, pods, silence)


if __name__ == "__main__":
    with Session() as session:
        print(json.dumps(run(session, silence=True)))
