"""What every test may ask for."""

import os

# Many tests start processes of Duly's: each would compile every module anew, for two seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.rig.postgres", "tests.rig.rabbitmq", "tests.rig.smtp_sink", "tests.rig.browser", "tests.rig.oidc"]
