"""The Dockerfile and compose.yaml: linted, and in agreement with the repository and the program."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import yaml

from dockerfile import stages
from manifests import REPOSITORY

PROGRAMS = Path(os.environ.get("NEUTRINO_BIN") or REPOSITORY / ".build/debug")
DOCKERFILE = REPOSITORY / "deploy/Dockerfile"
COMPOSE = REPOSITORY / "deploy/compose/compose.yaml"


class DockerfileTests(unittest.TestCase):
    def test_hadolint_has_nothing_against_them(self):
        for file in (DOCKERFILE, REPOSITORY / "deploy/examples/fastapi/Dockerfile"):
            done = subprocess.run([REPOSITORY / ".venv/bin/hadolint", "--no-color", file], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.stdout + done.stderr, "")

    def test_what_it_builds_with_is_what_make_installs(self):
        [packages] = re.findall(r"^PACKAGES := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        installed = re.search(r"--no-install-recommends ([^&]*)&&", stages(DOCKERFILE)["build"].last("RUN") + " " + stages(DOCKERFILE)["build"].all("RUN")[0])
        self.assertLessEqual(set(installed.group(1).split()), set(packages.split()))

    def test_what_it_copies_is_there_and_not_ignored(self):
        patterns = [line for line in (REPOSITORY / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line and not line.startswith("#")]
        kept = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
        for copied in stages(DOCKERFILE)["build"].all("COPY"):
            for name in copied.split()[:-1]:
                self.assertTrue(any(fnmatch.fnmatch(each, name) for each in kept), name)
                # Package.resolved is not committed; a pattern may match nothing.
                self.assertTrue((REPOSITORY / name).exists() or "*" in name, name)

    def test_images_run_as_the_user_of_the_manifests_and_tell_their_health(self):
        every = stages(DOCKERFILE)
        self.assertEqual(list(every)[-1], "gateway")
        for name in ("gateway", "pod"):
            self.assertEqual(every[name].last("USER"), "10001:10001")
            self.assertEqual(every[name].health_check[0], "bash")
            self.assertEqual(len(json.loads(every[name].last("ENTRYPOINT"))), 1)


class ComposeTests(unittest.TestCase):
    def setUp(self):
        self.document = yaml.safe_load(COMPOSE.read_text())
        self.services = self.document["services"]

    @unittest.skipUnless(shutil.which("docker-compose") or shutil.which("docker"), "needs docker compose, for its schema")
    def test_compose_takes_it(self):
        command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        token = COMPOSE.parent / "admin-token"
        made = not token.exists()
        if made:
            token.write_text("0123456789abcdef\n")
        try:
            done = subprocess.run([*command, "-f", COMPOSE, "config", "-q"], capture_output=True, text=True, timeout=60)
        finally:
            if made:
                token.unlink()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_three_pods_and_the_gateway_knows_them(self):
        pods = [name for name, service in self.services.items() if "--simulate" in service.get("command", [])]
        self.assertEqual(len(pods), 3)
        self.assertEqual(self.services["gateway"]["environment"]["STATIC_BACKENDS"].split(","), [f"http://{pod}:8080" for pod in pods])

    def test_files_that_are_mounted_are_there(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((COMPOSE.parent / source).exists(), f"{name}: {source}")
                else:
                    self.assertIn(source, self.document["volumes"])
            if build := service.get("build"):
                self.assertEqual((COMPOSE.parent / build["context"]).resolve(), REPOSITORY)
                self.assertIn(build["target"], stages(REPOSITORY / build["dockerfile"]))

    def test_operators_and_figures_are_published_on_loopback_only(self):
        for name, service in self.services.items():
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:") or (name, port) == ("gateway", "8080:8080"), f"{name}: {port}")

    def test_prometheus_scrapes_the_gateway_and_grafana_finds_both_of_its_folders(self):
        prometheus = yaml.safe_load((COMPOSE.parent / "prometheus.yaml").read_text())
        self.assertEqual(prometheus["scrape_configs"][0]["static_configs"][0]["targets"], ["gateway:9090"])
        mounted = {volume.split(":")[1] for volume in self.services["prometheus"]["volumes"]}
        self.assertLessEqual(set(prometheus["rule_files"]), mounted)
        [provider] = yaml.safe_load((COMPOSE.parent / "grafana/dashboards/neutrino.yaml").read_text())["providers"]
        self.assertIn(provider["options"]["path"], {volume.split(":")[1] for volume in self.services["grafana"]["volumes"]})

    def test_the_gateway_ends_in_the_time_it_is_given_and_takes_its_settings(self):
        gateway = self.services["gateway"]
        grace = float(gateway["stop_grace_period"].removesuffix("s"))
        self.assertGreater(grace, float(gateway["environment"]["DRAIN_TIMEOUT"]))
        folder = COMPOSE.parent / "gateway"
        values = gateway["environment"] | {"OPENAPI_SPEC_PATH": str(folder / "openapi.yaml"), "ADMIN_TOKEN": "0123456789abcdef"}
        del values["ADMIN_TOKEN_FILE"]
        command = [PROGRAMS / "neutrino-gateway", "check", "--config", folder / "config.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=values, cwd="/tmp")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        self.assertIn("POST /v1/train/large", done.stdout)


if __name__ == "__main__":
    unittest.main()
