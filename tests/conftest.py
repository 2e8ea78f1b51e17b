"""What every test may ask for."""

pytest_plugins = ["tests.rig.postgres", "tests.rig.rabbitmq", "tests.rig.smtp_sink", "tests.rig.browser", "tests.rig.oidc"]
