"""What `duly` offers. Each command is imported when it is called: `duly --help` stays quick."""

from __future__ import annotations

from importlib.metadata import version

from cyclopts import App, Group, Parameter

from services.cli import screen

ABOUT = """Notices, duly served: notice, service, deadline, sanction.

Without settings it runs on its own: a private PostgreSQL, an in-memory broker and a built-in mailbox under ./var."""
EXITS = "Exit codes: 0 done, 1 the answer is no, 2 wrong usage or setting, 3 something cannot be reached."

RUN = Group("Run", sort_key=1)
LOOK = Group("Look and decide", sort_key=2)
PREPARE = Group("Prepare", sort_key=3)
THIS = Group("This command", sort_key=9)

app = App(
    name="duly",
    help=ABOUT,
    help_epilogue=EXITS,
    help_format="plaintext",
    version=lambda: f"duly {version('duly')}",
    version_flags=["--version"],
    default_parameter=Parameter(negative=(), show_default=False),
    help_formatter="default" if screen.console().is_terminal else "plain",
    error_formatter=screen.usage,
    console=screen.console(),
    error_console=screen.errors(),
)
app["--help"].group = THIS
app["--version"].group = THIS

app.command("services.cli.run:run", name="run", group=RUN, help="Run one worker in this process.")
app.command("services.cli.bounces:app", name="bounces", group=LOOK, help="Tell what mail that came back means.")
app.command("services.cli.migrate:migrate", name="migrate", group=PREPARE, help="Bring the database up to date.")
