"""What every test may ask for."""

import os

from hypothesis import HealthCheck, settings

# Many tests start processes of Duly's: each would compile every module anew, for two seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How fast inputs are made says nothing of us: the machine may be busy.
settings.register_profile("duly", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("duly")

pytest_plugins = [f"tests.rig.{part}" for part in ("postgres", "rabbitmq", "smtp_sink", "browser", "oidc")]
