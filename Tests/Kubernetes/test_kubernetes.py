"""Finding pods in Kubernetes with a real gateway, against kmock and a scripted API server. `make test` runs it."""

from __future__ import annotations

import subprocess
import unittest

from journey import Story, run
from api_servers import ScriptedServer, pod
from harness import programs
from harness.processes import Session, free_ports, wait_for


class KubernetesTests(unittest.TestCase):
    def test_pods_are_followed_as_the_cluster_changes(self):
        with Session() as session:
            figures = run(session, silence=False)
        # A debug build on whatever machine; `make verify` holds a release build to 1 s.
        self.assertLess(max(figures.values()), 10.0)

    def test_check_says_what_it_finds_and_what_keeps_it_from_finding(self):
        def check(**settings: str) -> subprocess.CompletedProcess:
            environment = {"PATH": "/usr/bin:/bin", "DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "app=pods"}
            ports = dict(zip(("GATEWAY_PORT", "ADMIN_PORT"), map(str, free_ports(2))))
            command = [programs.release_binary("neutrino-gateway"), "check"]
            return subprocess.run(command, env=environment | ports | settings, capture_output=True, text=True, timeout=60, cwd="/tmp")

        with ScriptedServer(free_ports(1)[0]) as api:
            api.put(pod("one", 8080))
            api.put(pod("two", 0))
            done = check(K8S_API_URL=api.url, K8S_NAMESPACE="tasks")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("k8s_label_selector: pods in the namespace tasks that match app=pods and can be used: 1, says", done.stdout)
            self.assertIn('the pod tasks/two cannot be used: its annotation neutrino.dev/port is "0"', done.stdout)
            api.token = "secret"
            self.assertIn("Unauthorized (401)", check(K8S_API_URL=api.url, K8S_NAMESPACE="tasks").stdout)
        self.assertIn("cannot be reached", check(K8S_API_URL=api.url).stdout)
        outside = check()
        self.assertEqual(outside.returncode, 78)
        self.assertIn("set KUBECONFIG to a kubeconfig, or K8S_API_URL", outside.stdout)
        nothing = check(K8S_API_URL=api.url, K8S_LABEL_SELECTOR="")
        self.assertIn("discovery_mode: kubernetes needs k8s_label_selector", nothing.stderr)
        wrong = check(K8S_API_URL=api.url, K8S_LABEL_SELECTOR="app in (pods")
        self.assertIn("its bracket is not closed", wrong.stderr)

    def test_an_api_server_that_comes_later_is_found(self):
        with Session() as session:
            [port] = free_ports(1)
            story = Story(session, {"K8S_API_URL": f"http://127.0.0.1:{port}"}, "gateway-early")
            wait_for("it is told", lambda: "cannot be reached" in story.found()["discovery"]["problem"], 10)
            with ScriptedServer(port) as late:
                wait_for("it is asked", lambda: late.requests, 10)
                wait_for("nothing matches", lambda: "no pod in the namespace tasks" in story.found()["discovery"]["problem"], 10)


if __name__ == "__main__":
    unittest.main()
