"""Line 5 of issue 6: the Debian package in a root of its own, without Swift: installs, serves as its unit says, and goes without a trace."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from cluster import get_json
from debian_root import DebianRoot, Unit
from harness import programs
from harness.processes import HarnessError, Process, fetch, free_ports, wait_for, wait_until_listening
from registry import Run, check

PACKAGE = "neutrino-gateway"
STATE = "var/lib/neutrino-gateway"
REQUESTS = 200


@check("6.5", "the Debian package in a fresh root: installs, serves under its unit's command line, uninstalls")
def debian_package(run: Run) -> None:
    built = subprocess.run([str(programs.REPOSITORY / "Scripts/build-deb"), str(run.session.folder)], capture_output=True, text=True, timeout=900)
    if built.returncode != 0:
        raise HarnessError(f"make deb: {built.stderr[-2000:]}")
    package = Path(built.stdout.strip())
    run.show("for the record: the package", "–", f"{package.name}, {package.stat().st_size / 1e6:.0f} MB", True)
    if shutil.which("lintian"):
        said = subprocess.run(["lintian", str(package)], capture_output=True, text=True, timeout=300)
        run.equal("what lintian says against it", "nothing", said.stdout.strip() or "nothing")

    root = DebianRoot(run.session.folder / "root")
    depends = re.sub(r"\s*\([^)]*\)", "", subprocess.run(["dpkg-deb", "-f", str(package), "Depends"], capture_output=True, text=True, check=True).stdout)
    root.must("apt-get update -qq && apt-get install -y -qq --no-install-recommends " + depends.replace(",", " "), 500)
    shutil.copy(package, root.folder / "package.deb")
    before, accounts = root.listing(), users(root)

    run.equal("swift in the root", "none", root.run("command -v swift || echo none").stdout.strip())
    installed = root.run("apt-get install -y -qq --no-install-recommends ./package.deb")
    run.equal("apt-get install", 0, installed.returncode)
    if installed.returncode != 0:
        raise HarnessError(installed.stdout[-2000:])
    is_complete(run, root)
    serves(run, root)
    goes(run, root, before, accounts)


def users(root: DebianRoot) -> set[str]:
    return {line.split(":")[0] for file in ("passwd", "group") for line in (root.folder / "etc" / file).read_text().splitlines()}


def is_complete(run: Run, root: DebianRoot) -> None:
    run.equal("its version", "as the release's", "as the release's" if root.must("neutrino-gateway --version") == said_version() else "another")
    enabled = root.folder / "etc/systemd/system/multi-user.target.wants/neutrino-gateway.service"
    run.show("the unit is enabled", "yes", "yes" if enabled.is_symlink() else "no", enabled.is_symlink())
    there = ["usr/share/man/man1/neutrino-gateway.1.gz", "usr/share/man/man1/neutrino-pod.1.gz", "usr/share/bash-completion/completions/neutrino-gateway"]
    missing = [each for each in there if not (root.folder / each).is_file()]
    run.equal("manual pages and completions that are missing", "none", ", ".join(missing) or "none")
    completion = root.run(
        "bash -c 'source /usr/share/bash-completion/completions/neutrino-gateway; COMP_WORDS=(neutrino-gateway pod); COMP_CWORD=1; "
        'COMP_LINE="neutrino-gateway pod"; COMP_POINT=20; $(complete -p neutrino-gateway | sed "s/.*-F \\([^ ]*\\).*/\\1/") neutrino-gateway pod neutrino-gateway; '
        'echo "${COMPREPLY[*]}"\''
    )
    run.equal("bash completes `neutrino-gateway pod`", "pods", completion.stdout.strip())
    run.equal("what `check` says of the default configuration", 0, root.run("neutrino-gateway check --config /etc/neutrino-gateway/config.yaml").returncode)


def said_version() -> str:
    return subprocess.run([str(programs.release_binary(PACKAGE)), "--version"], capture_output=True, text=True, check=True).stdout


def serves(run: Run, root: DebianRoot) -> None:
    unit = Unit((root.folder / "usr/lib/systemd/system/neutrino-gateway.service").read_text())
    port, admin, backend = free_ports(3)
    pod = run.session.start("pod", root.inside(f"exec neutrino-pod --simulate --host 127.0.0.1 --port {backend} --cpus 8 --gpus 1 --memory-gb 32"))
    wait_until_listening(pod, backend)
    environment = {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": port, "ADMIN_PORT": admin, "STATIC_BACKENDS": f"http://127.0.0.1:{backend}"}
    service = unit.start(run.session, root, environment)
    wait_until_listening(service, port)
    wait_for("it is ready", lambda: fetch(f"http://127.0.0.1:{port}/ready")[0] == 200, 10)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{service.pid}/status").read_text().splitlines() if ":\t" in line)
    user = root.must("id -u neutrino").strip()
    run.equal("runs as its own user", f"{user} {user} {user} {user}", " ".join(status["Uid"].split()))
    run.equal("capabilities it could ever get", "none", "none" if int(status["CapBnd"], 16) == 0 else status["CapBnd"])
    load = run.generator.run("open", port, request=["1,POST,/work?ms=2,200"], rate=100, seconds=REQUESTS / 100, warmup=0.2)
    run.equal("answers of status 200", {"200": REQUESTS}, load["statuses"] | load["errors"])
    database = root.folder / STATE / "neutrino.db"
    owner = f"{database.stat().st_uid} {database.stat().st_mode & 0o777:o} in {database.parent.stat().st_mode & 0o777:o}"
    run.equal("its database is its own", f"{user} 600 in 700", owner)
    reload_and_stop(run, root, unit, service, admin)

    trace = run.session.folder / "trace"
    service = unit.start(run.session, root, environment, trace)
    wait_until_listening(service, port, 60)
    wait_for("it is ready", lambda: fetch(f"http://127.0.0.1:{port}/ready")[0] == 200, 30)
    for _ in range(20):
        fetch(f"http://127.0.0.1:{port}/work?ms=2", "POST", b"x" * 300_000)
    fetch(f"http://127.0.0.1:{admin}/metrics")
    fetch(f"http://127.0.0.1:{admin}/admin/api/backup")
    service.stop(60)
    refused, kinds = unit.refused(trace)
    run.equal("system calls that the unit would refuse", "none", ", ".join(sorted(refused)) or "none")
    run.show("for the record: kinds of calls it made", "–", kinds, kinds > 20)
    pod.stop()


def reload_and_stop(run: Run, root: DebianRoot, unit: Unit, service: Process, admin: int) -> None:
    configuration = root.folder / "etc/neutrino-gateway/config.yaml"
    kept = configuration.read_text()
    configuration.write_text(kept + "\nroutes:\n  - {path: /added, hold_timeout: 7}\n")
    subprocess.run(["sh", "-c", unit.value("ExecReload").replace("$MAINPID", str(service.pid))], check=True)

    def has_route() -> bool:
        return any(route.get("path") == "/added" for route in get_json(f"http://127.0.0.1:{admin}/admin/api/routes")["routes"])

    wait_for("the reload is taken", has_route, 5)
    configuration.write_text(kept)
    service.signal(15)
    run.equal("SIGTERM ends it with", 0, service.popen.wait(float(unit.value("TimeoutStopSec"))))


def goes(run: Run, root: DebianRoot, before: dict[str, str], accounts: set[str]) -> None:
    configuration = root.folder / "etc/neutrino-gateway/config.yaml"
    kept = configuration.read_text() + "hold_timeout: 31\n"
    configuration.write_text(kept)
    root.must("dpkg --install package.deb")
    run.equal("installed over itself, a changed configuration", "kept", "kept" if configuration.read_text() == kept else "lost")
    root.must("dpkg --remove neutrino-gateway")
    left = "configuration and data" if (root.folder / STATE / "neutrino.db").exists() and (root.folder / "etc/neutrino-gateway/config.yaml").exists() else "less"
    run.equal("after a removal there are still", "configuration and data", left)
    root.must("dpkg --purge neutrino-gateway")
    after = root.listing()
    data = {name: what for name, what in after.items() if name == STATE or name.startswith(STATE + "/")}
    changed = sorted(name for name in before.keys() | after.keys() if name not in data and before.get(name) != after.get(name))
    run.equal("after a purge, files that are new, gone or changed, but for data", "none", ", ".join(changed) or "none")
    run.equal("users and groups that it left", "none", ", ".join(sorted(users(root) - accounts)) or "none")
    run.show("its data are kept, by root", "yes", sorted(set(what.split()[1] for what in data.values())), {what.split()[1] for what in data.values()} == {"0:0"})
    root.must("dpkg --install package.deb")
    owner = root.must(f"stat -c %U /{STATE}/neutrino.db").strip()
    run.equal("after another installation they belong to", "neutrino", owner)
