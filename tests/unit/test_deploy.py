"""What deploy/ names is what there is: workers, settings, queues, measures, roles."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from schemas.catalogue import QUEUES
from services.cli.run import workers

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
VALUES: dict[str, Any] = yaml.safe_load((DEPLOY / "chart" / "values.yaml").read_text())


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, DEPLOY / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def settings() -> set[str]:
    named = re.compile(r"validation_alias=\"(DULY_[A-Z_]+)\"")
    return {name for path in (CHECKOUT / "services").rglob("*.py") for name in named.findall(path.read_text())}


def test_every_worker_is_in_compose_and_chart() -> None:
    run = {each["command"][1] for each in COMPOSE["services"].values() if each.get("command", [""])[0] == "run"}
    assert run == set(VALUES["workers"]) == set(workers())


@pytest.mark.parametrize("file", ["compose.yaml", "chart/values.yaml", "chart/templates/workers.yaml", "Containerfile"])
def test_every_setting_that_is_named_exists(file: str) -> None:
    own = {"DULY_IMAGE", "DULY_SECRETS"}
    found = set(re.findall(r"DULY_[A-Z_]*[A-Z]", (DEPLOY / file).read_text()))
    assert found - own <= settings()


def test_consumers_are_scaled_by_their_own_queue_and_intake_is_not() -> None:
    queues = {name: own["scale"]["queue"] for name, own in VALUES["workers"].items() if "queue" in own.get("scale", {})}
    assert queues == {queue.removeprefix("duly."): queue for queue in QUEUES if queue != "duly.intake"}


def test_deadlines_are_scaled_by_what_relay_measures() -> None:
    query = VALUES["workers"]["deadlines"]["scale"]["query"]
    assert re.search(r'duly_waiting\{what="deadlines_due"\}', query)
    assert "'deadlines_due'" in (CHECKOUT / "services/kernel/adapters/postgres/sql/runtime.sql").read_text()
    assert '"duly_waiting"' in (CHECKOUT / "services/kernel/runtime/measures.py").read_text()


def test_pods_are_given_longer_than_the_grace() -> None:
    assert VALUES["terminationGracePeriodSeconds"] > float(VALUES["settings"]["DULY_GRACE"])


def test_no_secret_stands_in_a_file_of_ours() -> None:
    secret = {"DULY_DATABASE_URL", "DULY_BROKER_URL", "DULY_TOKEN_KEYS", "DULY_CALLBACK_KEYS", "DULY_WEBHOOK_KEYS",
              "DULY_FILES_KEY", "DULY_OIDC_CLIENT_SECRET", "DULY_CONSOLE_OIDC_CLIENT_SECRET"}  # fmt: skip
    assert not any(secret & set(each.get("environment", {})) for each in COMPOSE["services"].values())
    assert not any(secret & set(own.get("settings", {})) for own in VALUES["workers"].values())


def test_secrets_come_from_files_and_the_environment_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "DULY_TOKEN_KEYS").write_text("k1:00\n")
    (tmp_path / "DULY_AUTHORITY").write_text("from a file")
    (tmp_path / "definitions.json").write_text("{}")
    environment = {"DULY_AUTHORITY": "given"}
    script("image/enter.py").take_secrets(tmp_path, environment)
    assert environment == {"DULY_AUTHORITY": "given", "DULY_TOKEN_KEYS": "k1:00"}


def test_upstreams_may_send_what_upstreams_send_and_configure_what_is_theirs() -> None:
    made = script("rabbitmq/definitions.py").definitions({"duly": "a", "fees": "b"})
    (topic,) = made["topic_permissions"]
    assert re.fullmatch(topic["write"], "notice.requested.v1")
    assert not re.fullmatch(topic["write"], "deadline.passed.v1")
    permission = next(each for each in made["permissions"] if each["user"] == "fees")
    assert re.fullmatch(permission["configure"], "fees.told")
    assert not re.fullmatch(permission["configure"], "duly.renderer")
    assert {queue["name"] for queue in made["queues"]} >= set(QUEUES)
    assert all(user["password_hash"] not in {"a", "b"} for user in made["users"])


def test_prometheus_reads_every_worker_that_compose_starts() -> None:
    (job,) = yaml.safe_load((DEPLOY / "observability" / "prometheus.yaml").read_text())["scrape_configs"]
    (static,) = job["static_configs"]
    assert set(static["targets"]) == {f"{worker}:8080" for worker in workers()}
    assert job["job_name"] == "duly"


def base(folder: Path) -> Path:
    """As much of a Debian as is copied into."""
    (folder / "base" / "etc" / "ssl" / "certs").mkdir(parents=True)
    return folder / "base"


def test_every_instruction_of_the_containerfile_is_followed_in_the_bare_root(tmp_path: Path) -> None:
    bare = script("bare_root.py")
    ran: list[tuple[str, ...]] = []

    class Dry(bare.Stage):
        def run(self, arguments: list[str], **_: str) -> str:
            ran.append(tuple(arguments))
            self.at(arguments[-1]).mkdir(parents=True)
            return ""

    bare.Stage = Dry
    made = bare.build(DEPLOY / "Containerfile", base(tmp_path), tmp_path)
    assert ran == [("python", "deploy/image/install.py", "/opt/duly")]
    assert (made.user, made.folder, made.environment["PYTHONSAFEPATH"]) == ("10001:10001", "/tmp", "1")
    assert made.entry[-1] == "/opt/duly/image/enter.py"
    assert made.health[-1] == "/opt/duly/image/ready.py"
    assert made.at("/opt/duly").is_dir()
    copied = {str(path.relative_to(tmp_path / "build" / "src")) for path in (tmp_path / "build" / "src").rglob("*")}
    assert {"pyproject.toml", "deploy/bootstrap.py", "services/relay/__main__.py", "schemas/catalogue.py"} <= copied
    assert not any("__pycache__" in path or path.startswith(("tests", "deploy/chart")) for path in copied)


@pytest.mark.parametrize("line", ["VOLUME /data", "RUN apt-get update && true", "ADD a b", "COPY tests tests"])
def test_what_the_bare_root_cannot_follow_is_a_fault(line: str, tmp_path: Path) -> None:
    bare = script("bare_root.py")
    (tmp_path / "Containerfile").write_text(f"FROM base\n{line}\n")
    (tmp_path / "Containerfile.dockerignore").write_text((DEPLOY / "Containerfile.dockerignore").read_text())
    with pytest.raises(bare.Broken):
        bare.build(tmp_path / "Containerfile", base(tmp_path), tmp_path)
