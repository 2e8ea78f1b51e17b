"""What every test may ask for."""

import os

import pytest
import structlog
from hypothesis import HealthCheck, settings

# Many tests start processes of Duly's: each would compile every module anew, for two seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How fast inputs are made says nothing of us: the machine may be busy.
settings.register_profile("duly", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("duly")

# Where nothing configures the log, it draws each stack with all locals: seconds for every failure that is meant.
_PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])

pytest_plugins = [f"tests.rig.{part}" for part in ("postgres", "rabbitmq", "smtp_sink", "browser", "oidc")]

_LAST = ("handlers", "ports", "schemas", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for browsers and processes first, what takes milliseconds last: so both cores are busy to the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return max((place for place, folder in enumerate(_LAST, start=1) if folder in item.path.parts), default=0)
