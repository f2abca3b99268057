"""A Debian of its own in a folder, made by debootstrap: what a package or an image's steps do where nothing else is installed."""

from __future__ import annotations

import atexit
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from harness.processes import HarnessError, Process, Session
from harness.programs import require

#: Where apt and dpkg keep books of their own, and what is no file of a program's.
BOOKS = ("proc", "sys", "dev", "tmp", "run", "var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "etc/ld.so.cache")
#: Copies that adduser and dpkg make before they change a file.
COPIES = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-")


class DebianRoot:
    """A root folder; what runs in it sees /proc, the machine's network, and nothing else of the machine."""

    #: Made once for all checks of a run; each gets a copy.
    pristine: Path | None = None

    def __init__(self, folder: Path):
        self.folder = folder
        if DebianRoot.pristine is None:
            DebianRoot.pristine = bootstrapped()
        subprocess.run(["cp", "-a", "--reflink=auto", str(DebianRoot.pristine), str(folder)], check=True)

    def inside(self, script: str) -> list[str]:
        """The command that runs a shell's script in it, with mounts that are gone when it ends."""
        root = shlex.quote(str(self.folder))
        return ["unshare", "--mount", "sh", "-ec", f"mount -t proc proc {root}/proc; exec chroot {root} sh -ec {shlex.quote(script)}"]

    def run(self, script: str, patience: float = 300) -> subprocess.CompletedProcess:
        values = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(self.inside(script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience, env=values)

    def must(self, script: str, patience: float = 300) -> str:
        done = self.run(script, patience)
        if done.returncode != 0:
            raise HarnessError(f"{script}: {done.returncode}\n{done.stdout[-2000:]}")
        return done.stdout

    def listing(self) -> dict[str, str]:
        """Every file but books: its kind, mode, owner and what is in it."""
        found: dict[str, str] = {}
        for place, folders, files in os.walk(self.folder):
            relative = Path(place).relative_to(self.folder)
            folders[:] = [each for each in folders if str(relative / each) not in BOOKS]
            for each in [*folders, *files]:
                name = str(relative / each)
                if name not in BOOKS and name not in COPIES:
                    found[name] = described(self.folder / name)
        return found


def described(path: Path) -> str:
    status = path.lstat()
    what = ""
    if stat.S_ISREG(status.st_mode):
        what = hashlib.sha1(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        what = os.readlink(path)
    return f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid} {what}"


def mirror() -> str:
    """Where the machine's apt gets its Debian from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Identifier: Packages", "Origin: Debian"]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return next((line.split()[0] for line in lines if line.endswith(" main") and "security" not in line), "http://deb.debian.org/debian")


def bootstrapped(release: str = "bookworm") -> Path:
    """A new root, which is removed when the program ends."""
    place = Path(tempfile.mkdtemp(prefix="neutrino-debian-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    root = place / "root"
    command = [require("debootstrap"), "--variant=minbase", release, str(root), mirror()]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    if made.returncode != 0:
        raise HarnessError(f"debootstrap failed:\n{made.stdout[-2000:]}")
    # Proxies and the like, as the machine has them.
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout.splitlines()
    lines = [line for line in settings if line.startswith(("Acquire::http::", "Acquire::https::"))]
    (root / "etc/apt/apt.conf.d/00machine").write_text("\n".join(lines) + "\n")
    # As Debian's own images do: nothing is started while something is installed, and nothing waits for the disk.
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    return root


class Unit:
    """A systemd unit, and what of it can be done without systemd as the first process."""

    def __init__(self, text: str):
        self.values: dict[str, list[str]] = {}
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith(("#", "[")):
                self.values.setdefault(key, []).append(value)

    def value(self, key: str) -> str:
        return self.values[key][-1]

    def start(self, session: Session, root: DebianRoot, environment: dict, trace: Path | None = None) -> Process:
        """Starts its command as it says: as its user, without capabilities or new privileges, everything but its state read-only, of /proc
        only its own processes. The process is that of the command."""
        state = f"/var/lib/{self.value('StateDirectory')}"
        user, group = self.value("User"), self.value("Group")
        place = shlex.quote(str(root.folder))
        script = f"""
            mount --bind {place} {place}
            mount -t proc -o hidepid=invisible,subset=pid proc {place}/proc
            install -d -m {self.value("StateDirectoryMode")} -o $(chroot {place} id -u {user}) -g $(chroot {place} id -g {group}) {place}{state}
            mount --bind {place}{state} {place}{state}
            mount -t tmpfs tmpfs {place}/tmp
            mount -o remount,bind,ro {place}
            ulimit -n {self.value("LimitNOFILE")} 2>/dev/null || ulimit -n $(ulimit -H -n)
            umask {self.value("UMask")}
            exec chroot {place} setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
                sh -c 'cd {self.value("WorkingDirectory")} && exec {self.value("ExecStart")}'"""
        command = ["unshare", "--mount", "sh", "-ec", script]
        if trace:
            command = [require("strace"), "-D", "-f", "-qq", "-o", str(trace), *command]
        return session.start("service", ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *(f"{key}={value}" for key, value in environment.items()), *command])

    def refused(self, trace: Path) -> tuple[set[str], int]:
        """System calls of the traced command that the unit does not allow, and how many kinds there were."""
        allowed: set[str] = set()
        groups = filter_groups()
        for line in self.values["SystemCallFilter"]:
            names = {name for each in line.lstrip("~").split() for name in expanded(each, groups)}
            allowed = allowed - names if line.startswith("~") else allowed | names
        families = self.value("RestrictAddressFamilies").split()
        used, problems, begun = set(), set(), False
        for line in trace.read_text(errors="replace").splitlines():
            begun = begun or f'execve("{self.value("ExecStart").split()[0]}"' in line
            call = line.split(maxsplit=1)[1] if begun and " " in line else ""
            name = call.partition("(")[0]
            if not name.isidentifier():
                continue
            used.add(name)
            if name not in allowed and name not in ("execve", "exit", "exit_group", "rt_sigreturn"):
                problems.add(name)
            if name == "socket" and not call[7:].startswith(tuple(families)):
                problems.add(call[:40])
            if "PROT_EXEC" in call and ("PROT_WRITE" in call or name == "mprotect"):
                problems.add(call[:80])
        return problems, len(used)


def filter_groups() -> dict[str, list[str]]:
    """The sets of system calls that systemd knows by name."""
    groups: dict[str, list[str]] = {}
    name = ""
    for line in subprocess.run([require("systemd-analyze"), "syscall-filter"], capture_output=True, text=True, check=True).stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            groups[name := word] = []
        elif word and not word.startswith("#"):
            groups.setdefault(name, []).append(word)
    return groups


def expanded(name: str, groups: dict[str, list[str]]) -> set[str]:
    if not name.startswith("@"):
        return {name}
    return {call for each in groups[name] for call in expanded(each, groups)}
