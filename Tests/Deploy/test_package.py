"""What the Debian package is made of: manual pages and completions that the program writes of itself, and scripts."""

from __future__ import annotations

import os
import re
import subprocess
import unittest
from pathlib import Path

from manifests import REPOSITORY

PROGRAMS = Path(os.environ.get("NEUTRINO_BIN") or REPOSITORY / ".build/debug")


def said(*command: object, text: str | None = None) -> str:
    done = subprocess.run([str(each) for each in command], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class PackageTests(unittest.TestCase):
    def test_the_manual_page_has_every_command_and_every_setting(self):
        page = said(REPOSITORY / "Scripts/man-page", PROGRAMS / "neutrino-gateway").replace("\\-", "-")
        help = said(PROGRAMS / "neutrino-gateway", "--help")
        for command in re.findall(r"^  ([a-z]+) ", help, re.MULTILINE):
            self.assertIn(f".SS neutrino-gateway {command}\n", page)
        settings = re.findall(r"^  (--[a-z0-9-]+)", said(PROGRAMS / "neutrino-gateway", "serve", "--help").split("\nOPTIONS:")[0], re.MULTILINE)
        self.assertGreater(len(settings), 40)
        for setting in settings:
            self.assertRegex(page, rf"(?m)^\.B {setting}( |$)")

    def test_manual_pages_name_each_other_and_have_no_line_that_roff_would_take_for_a_request(self):
        for program, other in (("neutrino-gateway", "neutrino-pod"), ("neutrino-pod", "neutrino-gateway")):
            page = said(REPOSITORY / "Scripts/man-page", PROGRAMS / program)
            self.assertIn(f".BR {other} (1)", page.replace("\\-", "-"))
            requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
            self.assertLessEqual(requests, {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I", ".BR", ".IR", ".nh", ".ad"})

    def test_manual_pages_fit_a_terminal_line_by_line(self):
        for program in ("neutrino-gateway", "neutrino-pod"):
            page = said(REPOSITORY / "Scripts/man-page", PROGRAMS / program)
            # A line of one long word cannot be stretched to the margin: man warns of it.
            self.assertIn("\n.ad l\n", page)
            words = re.split(r"\s|\\:", page.replace("\\-", "-"))
            self.assertLessEqual(max(map(len, words)), 40, max(words, key=len))

    def test_bash_can_read_the_completions(self):
        for program in ("neutrino-gateway", "neutrino-pod"):
            said("bash", "-n", text=said(PROGRAMS / program, "--generate-completion-script", "bash"))

    def test_scripts_can_be_read(self):
        for script in ("postinst", "prerm", "postrm"):
            said("sh", "-n", REPOSITORY / "deploy/debian" / script)
        for script in ("build-deb", "render-manifests"):
            said("bash", "-n", REPOSITORY / "Scripts" / script)


if __name__ == "__main__":
    unittest.main()
