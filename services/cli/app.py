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

app.command("services.cli.up:up", name="up", group=RUN, help="Run everything in this process, embedded by default.")
app.command("services.cli.trial.command:trial", name="trial", group=RUN, help="Play a day through the real workers.")
app.command("services.cli.run:run", name="run", group=RUN, help="Run one worker in this process.")
app.command("services.cli.publish:publish", name="publish", group=RUN, help="Publish events from a file.")
app.command("services.cli.notices:app", name="notices", group=LOOK, help="See notices, their story, and its proof.")
app.command("services.cli.holds:app", name="holds", group=LOOK, help="Stop a sanction until a person has decided.")
app.command("services.cli.deadlines:app", name="deadlines", group=LOOK, help="Give more time.")
app.command("services.cli.sanctions:app", name="sanctions", group=LOOK, help="See, stop and decide sanctions.")
app.command("services.cli.evidence:app", name="evidence", group=LOOK, help="See evidence that waits, and clear it.")
app.command("services.cli.dead_letters:app", name="dead-letters", group=LOOK, help="See, mend and replay what failed.")
app.command("services.cli.sending:app", name="sending", group=LOOK, help="See and release the brake on all mail.")
app.command("services.cli.webhooks:app", name="webhooks", group=LOOK, help="Upstreams that are told by webhook.")
app.command("services.cli.retention:app", name="retention", group=LOOK, help="What is kept, why, and for how long.")
app.command("services.cli.subject:app", name="subject", group=LOOK, help="Everything that is kept about a business.")
app.command("services.cli.addresses:app", name="addresses", group=LOOK, help="Addresses that must not be written to.")
app.command("services.cli.bounces:app", name="bounces", group=LOOK, help="Tell what mail that came back means.")
app.command("services.cli.keys:app", name="keys", group=PREPARE, help="Make API keys for upstreams over HTTP.")
app.command("services.cli.doctor:doctor", name="doctor", group=PREPARE, help="Check every setting and connection.")
app.command("services.cli.migrate:migrate", name="migrate", group=PREPARE, help="Bring the database up to date.")
