"""What every test may ask for."""

import os

# Many tests start processes of Duly's: each would compile every module anew, for two seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = [f"tests.rig.{part}" for part in ("postgres", "rabbitmq", "smtp_sink", "browser", "oidc")]
