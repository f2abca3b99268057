"""The systemd unit: what systemd says of it, and that it agrees with the package's configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from manifests import REPOSITORY

UNIT = REPOSITORY / "deploy/systemd/neutrino-gateway.service"
#: Of 10, where 0 is a service that may do nothing; of an ordinary one systemd says 9.6.
EXPOSURE = 1.5


def value(key: str) -> str:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)[-1]


class UnitTests(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    def test_systemd_understands_every_line(self):
        with tempfile.TemporaryDirectory() as folder:
            # Its program is not installed here, nor its manual page.
            copy = Path(folder) / UNIT.name
            text = UNIT.read_text().replace("/usr/bin/neutrino-gateway", "/bin/true").replace("Documentation=man:", "Documentation=https://localhost/")
            copy.write_text(text)
            done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout + done.stderr, "")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    def test_it_may_do_little(self):
        command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager", UNIT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout[-300:])

    def test_it_is_started_again_however_often_it_ends(self):
        unit, service = UNIT.read_text().split("[Service]")
        self.assertIn("\nStartLimitIntervalSec=0\n", unit)
        self.assertIn("\nRestart=on-failure\n", service)
        self.assertGreaterEqual(float(value("RestartSec")), 1)
        self.assertEqual(value("RestartPreventExitStatus"), "64 78")

    def test_it_waits_for_longer_than_the_configuration_drains(self):
        configuration = yaml.safe_load((REPOSITORY / "deploy/debian/config.yaml").read_text())
        self.assertGreater(float(value("TimeoutStopSec")), configuration["drain_delay"] + configuration["drain_timeout"])
        self.assertTrue(configuration["database_path"].startswith(f"/var/lib/{value('StateDirectory')}/"))
        self.assertIn(value("ExecStart").split()[-1], (REPOSITORY / "Scripts/build-deb").read_text().replace('"$root', ""))


if __name__ == "__main__":
    unittest.main()
