"""Make the secrets that deploy/compose.yaml asks for: passwords and keys, each in a file of its own.

Usage: .venv/bin/python deploy/compose_secrets.py [FOLDER] [UPSTREAM…]   (var/compose; registry fees caseworking)

What is there already stays, so that it can be run again when a worker or an upstream has come. The folder is its
owner's alone; its files can be read by the containers' users.
"""

# ruff: noqa: INP001 -- a script

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "rabbitmq")]

from definitions import VHOST, WORKERS, definitions  # noqa: E402 -- beside this file, in a folder that is no package

UPSTREAMS = ("registry", "fees", "caseworking")
_ROLE = re.compile(r"'duly_(\w+)'")
_BYTES = 32


def roles() -> list[str]:
    """The roles that log in, without `duly_`: those of deploy/postgres/roles.sql."""
    text = (ROOT / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")
    groups, logins = re.findall(r"FOREACH role IN ARRAY ARRAY\[(.*?)\]", text, re.DOTALL)
    return [name for name in _ROLE.findall(logins) if name not in _ROLE.findall(groups)]


def kept(file: Path, make: Callable[[], str]) -> str:
    """What the file says, made now if there is none."""
    if not file.exists():
        file.write_text(make(), encoding="utf-8")
        file.chmod(0o444)
    return file.read_text(encoding="utf-8")


def password() -> str:
    """A password that needs no quoting anywhere."""
    return secrets.token_urlsafe(_BYTES)


def key() -> str:
    """A key in hexadecimal."""
    return secrets.token_hex(_BYTES)


def databases(folder: Path) -> None:
    """The owner's password and every role's, as URLs, as SQL, and for psql."""
    owner = kept(folder / "postgres_password", password)
    kept(folder / "owner.database", lambda: f"postgresql://duly:{owner}@postgres/duly")
    kept(folder / "pg_service.conf", lambda: f"[duly]\nhost=postgres\ndbname=duly\nuser=duly\npassword={owner}\n")
    for role in roles():
        kept(folder / f"{role}.database", lambda role=role: f"postgresql://duly_{role}:{password()}@postgres/duly")
    statements = (f"ALTER ROLE duly_{role} PASSWORD '{_password_of(folder, role)}';\n" for role in roles())
    replace(folder / "role_passwords.sql", "".join(statements))


def _password_of(folder: Path, role: str) -> str:
    return (folder / f"{role}.database").read_text(encoding="utf-8").partition("@")[0].rpartition(":")[2]


def broker(folder: Path, upstreams: tuple[str, ...]) -> None:
    """The workers' URL, one for each upstream, and the definitions that know them all."""
    users = {user: kept(folder / f"{user}.broker_password", password) for user in (WORKERS, *upstreams)}
    kept(folder / "DULY_BROKER_URL", lambda: f"amqp://{WORKERS}:{users[WORKERS]}@rabbitmq/{VHOST}")
    replace(folder / "definitions.json", json.dumps(definitions(users), indent=1))


def replace(file: Path, text: str) -> None:
    """Write anew what is made of the others."""
    file.unlink(missing_ok=True)
    kept(file, lambda: text)


def make(folder: Path, upstreams: tuple[str, ...] = UPSTREAMS) -> None:
    """Make whatever is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    databases(folder)
    broker(folder, upstreams)
    kept(folder / "DULY_TOKEN_KEYS", lambda: f"k1:{key()}")
    kept(folder / "DULY_CALLBACK_KEYS", lambda: f"local:{key()}")
    kept(folder / "DULY_WEBHOOK_KEYS", lambda: ",".join(f"{source}:{key()}" for source in upstreams))
    kept(folder / "DULY_FILES_KEY", key)
    kept(folder / "DULY_OIDC_CLIENT_SECRET", password)
    kept(folder / "DULY_CONSOLE_OIDC_CLIENT_SECRET", password)


def main() -> int:
    """Make them in the folder of the command line."""
    given = sys.argv[1:]
    folder = Path(given[0]) if given else ROOT / "var" / "compose"
    make(folder, tuple(given[1:]) or UPSTREAMS)
    sys.stdout.write(f"secrets for compose are in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
