"""The manifests of deploy/kubernetes: valid, in agreement with themselves, with the program and with what the issue promises of them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from manifests import REPOSITORY, Fleet, containers, environment, load, names, quantity, schema_objections, sidecars, versions

PROGRAMS = Path(os.environ.get("NEUTRINO_BIN") or REPOSITORY / ".build/debug")
#: What stands in for the pod of a replica.
POD = {
    "metadata.namespace": "neutrino",
    "metadata.name": "neutrino-gateway-1",
    "metadata.labels['apps.kubernetes.io/pod-index']": "1",
}


def gateway(name: str) -> dict:
    found = Fleet(load(name)).named("StatefulSet", "neutrino-gateway")
    assert found is not None
    return found


def settings(name: str) -> dict[str, str]:
    return environment(containers(gateway(name))[0], gateway(name), POD)


class ManifestTests(unittest.TestCase):
    def test_every_overlay_is_rendered_and_is_what_kustomize_gives(self):
        overlays = sorted(folder.name for folder in (REPOSITORY / "deploy/kubernetes/overlays").iterdir())
        self.assertEqual(names(), overlays)
        done = subprocess.run([REPOSITORY / "Scripts/render-manifests", "--check"], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_kubernetes_takes_them_from_1_28_on(self):
        self.assertEqual(versions()[0], "1.28")
        for name in names():
            for version in versions():
                with self.subTest(overlay=name, version=version):
                    self.assertEqual(list(schema_objections(load(name), version)), [])

    def test_a_misspelt_field_is_refused_and_a_missing_volume_is_seen(self):
        resources = load("quickstart")
        stateful = Fleet(resources).named("StatefulSet", "neutrino-gateway")
        stateful["spec"]["podManagmentPolicy"] = "Parallel"
        self.assertEqual(len(list(schema_objections(resources, "1.28"))), 1)
        stateful["spec"]["template"]["spec"]["volumes"] = []
        self.assertIn("StatefulSet neutrino-gateway: gateway mounts tmp, which is not there", list(Fleet(resources).objections()))

    def test_a_policy_that_names_a_port_of_an_init_container_is_refused(self):
        resources = load("quickstart")
        [rule] = Fleet(resources).named("NetworkPolicy", "tasks-cpu")["spec"]["ingress"]
        for port in ("neutrino", 8080):
            rule["ports"] = [{"port": port}]
            self.assertEqual(list(Fleet(resources).objections()), [f"NetworkPolicy tasks-cpu: no container of Deployment tasks-cpu has the port {port}"])

    def test_they_agree_among_themselves(self):
        for name in names():
            with self.subTest(overlay=name):
                self.assertEqual(list(Fleet(load(name)).objections()), [])

    def test_a_gateway_has_the_time_to_end_what_it_took(self):
        for name in names():
            with self.subTest(overlay=name):
                values = settings(name)
                takes = float(values["DRAIN_DELAY"]) + float(values["DRAIN_TIMEOUT"])
                self.assertGreaterEqual(gateway(name)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], takes + 10)

    def test_the_gateway_may_list_and_watch_pods_and_nothing_else(self):
        for name in names():
            rules = [rule for role in Fleet(load(name)).kind("Role", "ClusterRole") for rule in role["rules"]]
            self.assertEqual(rules, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}])

    def test_each_replica_has_a_queue_and_an_ordinal_of_its_own(self):
        for name in names():
            spec = gateway(name)["spec"]
            self.assertEqual((spec["replicas"], spec["podManagementPolicy"]), (2, "Parallel"))
            self.assertEqual([each["metadata"]["name"] for each in spec["volumeClaimTemplates"]], ["data"])
            self.assertEqual(settings(name)["NODE_ID"], "1")

    def test_metrics_that_pods_are_scaled_by_are_those_of_the_documentation(self):
        documented = set(re.findall(r"^\| `(neutrino_\w+)`", (REPOSITORY / "docs/metrics.md").read_text(), re.MULTILINE))
        queries = [
            trigger["metadata"]["query"]
            for name in names()
            for scaled in Fleet(load(name)).kind("ScaledObject")
            for trigger in scaled["spec"]["triggers"]
        ]
        self.assertEqual(len(queries), 4)
        for query in queries:
            self.assertLessEqual(set(re.findall(r"neutrino_\w+", query)), documented)
            self.assertRegex(query, r"^sum\(")

    def test_sidecars_say_what_the_server_beside_them_may_have(self):
        self.assertEqual([quantity(each) for each in ("8", "500m", "64G", "2Gi")], [8, 0.5, 64e9, 2**31])
        for each in (each for name in names() for each in sidecars(name)):
            with self.subTest(overlay=each["overlay"], name=each["name"]):
                said = {key: float(each["environment"][f"NEUTRINO_POD_{key.upper()}"]) for key in ("cpus", "memory_gb")}
                self.assertEqual(said, {key: each[key] for key in said})
                self.assertIn(f"--gpus={each['gpus']:.0f}", each["args"])

    def test_scaling_from_zero_holds_requests_for_as_long_as_a_pod_takes_to_come(self):
        scaled = Fleet(load("scale-from-zero")).kind("ScaledObject")
        self.assertEqual({each["spec"]["minReplicaCount"] for each in scaled}, {0})
        values = settings("scale-from-zero")
        self.assertEqual(values["HOLD_TIMEOUT_NO_PODS"], "600")

    def test_the_program_takes_the_settings_and_the_files(self):
        for name in names():
            with self.subTest(overlay=name), tempfile.TemporaryDirectory() as folder:
                done = check(name, Path(folder))
                self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
                self.assertIn("POST /v1/generate", done.stdout)


def check(name: str, root: Path) -> subprocess.CompletedProcess:
    """`neutrino-gateway check` with the environment and the files of a replica, its paths moved below a folder."""
    fleet, workload = Fleet(load(name)), gateway(name)
    [container] = containers(workload)
    maps = {each["name"]: each["configMap"]["name"] for each in workload["spec"]["template"]["spec"]["volumes"] if "configMap" in each}
    for mount in container["volumeMounts"]:
        place = root / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True)
        if mount["name"] in maps:
            for file, text in fleet.named("ConfigMap", maps[mount["name"]])["data"].items():
                (place / file).write_text(text)
    (root / "etc/neutrino/admin/token").write_text("0123456789abcdef\n")
    moved = re.compile(r"^/(etc|var|tmp)/")
    values = {key: moved.sub(rf"{root}/\1/", value) for key, value in settings(name).items()}
    # There is no cluster here: an API server that does not answer, which is no reason not to start.
    values["K8S_API_URL"] = "http://127.0.0.1:9"
    arguments = [moved.sub(rf"{root}/\1/", each) for each in container["args"][1:]]
    return subprocess.run([PROGRAMS / "neutrino-gateway", "check", *arguments], capture_output=True, text=True, timeout=60, env=values)


if __name__ == "__main__":
    unittest.main()
