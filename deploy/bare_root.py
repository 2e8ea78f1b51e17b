"""The image without a builder: the Containerfile's own steps as plain commands in a bare Debian root.

A minimal Debian with Python and pip stands for the image's base. Every instruction of the Containerfile is read and
followed, so that the two cannot drift apart: COPY takes what the ignore file lets through, RUN runs in the root of its
stage, and the last stage's ENV, USER, WORKDIR, HEALTHCHECK and ENTRYPOINT are those of the workers that are started
there. They have nothing to write to but /tmp, as with a read-only root, and afterwards nothing else may have changed.

Needs root, for `chroot`; the bare Debian is kept in var/ for the next time.
"""

# ruff: noqa: INP001, S603, S607 -- beside a script; programs of the system, with arguments of its own making

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-pip", "python-is-python3")
MIRROR = "http://deb.debian.org/debian"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_THIS_MACHINE = re.compile(r"(PIP|UV)_\w+|(https?|no|all)_proxy", re.IGNORECASE)
"""How to reach a package index, as a builder would be told: which one, through which proxy."""
SAYS_NOTHING = {"LABEL", "EXPOSE", "STOPSIGNAL"}
_NEEDLESS = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")


class Broken(Exception):
    """A step does not do in a bare Debian what it should."""


@dataclass
class Stage:
    """One stage of the Containerfile, as a root with what its instructions have said so far."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entry: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def command(self, arguments: Sequence[str], **settings: str) -> list[str]:
        """What runs these in the root, as its user, with its environment and no other, and becomes them."""
        given = {"PATH": PATH, **self.environment, **settings}
        pairs = [f"{name}={value}" for name, value in given.items()]
        inside = ["/usr/bin/env", "-i", "-C", self.folder, *pairs, *arguments]
        return ["chroot", f"--userspec={self.user}", "--groups=", str(self.root), *inside]

    def run(self, arguments: Sequence[str], **settings: str) -> str:
        """Run a command to its end; what it says.

        Raises:
            Broken: it does not end with 0.
        """
        done = subprocess.run(self.command(arguments, **settings), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Broken(f"{shlex.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def at(self, path: str) -> Path:
        """A path of the stage, from outside."""
        return self.root / (Path(self.folder) / path).relative_to("/")


def bare_debian(kept: Path) -> Path:
    """The bare Debian, made by debootstrap unless it is there.

    Raises:
        Broken: debootstrap could not make it.
    """
    made = kept / f"{SUITE}-{'-'.join(PACKAGES)}"
    if not made.exists():
        making = made.with_name(f"{made.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(making), MIRROR]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Broken(f"debootstrap: {(done.stdout + done.stderr)[-2000:]}")
        for folder in _NEEDLESS:
            shutil.rmtree(making / folder, ignore_errors=True)
        making.rename(made)
    return made


def build(containerfile: Path, base: Path, scratch: Path) -> Stage:
    """Follow the Containerfile; its last stage.

    Raises:
        Broken: a step fails, or an instruction is not understood here.
    """
    ignored = ignoring(containerfile.with_name(f"{containerfile.name}.dockerignore").read_text())
    stages: dict[str, Stage] = {}
    for word, rest in instructions(containerfile.read_text()):
        if word == "FROM":
            name = rest.partition(" AS ")[2] or str(len(stages))
            stages[name] = stage = Stage(_copy_of(base, scratch / name))
        elif stages:
            follow(stage, word, rest, stages, ignored)
        elif word != "ARG":
            raise Broken(f"{word} before the first FROM")
    return stage


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction's word and the rest of it."""
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        yield word.upper(), rest.strip()


def follow(stage: Stage, word: str, rest: str, stages: Mapping[str, Stage], ignored: re.Pattern[str]) -> None:
    """Do what one instruction of a stage says.

    Raises:
        Broken: it fails, or is not understood here.
    """
    match word:
        case "COPY":
            _copy(stage, shlex.split(rest), stages, ignored)
        case "RUN":
            stage.run(_words(rest), **_of_this_machine())
        case "ENV":
            stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        case "WORKDIR":
            stage.folder = rest
            stage.at(".").mkdir(parents=True, exist_ok=True)
        case "USER":
            stage.user = rest
        case "ENTRYPOINT":
            stage.entry = _words(rest)
        case "HEALTHCHECK":
            stage.health = _words(rest.partition("CMD ")[2])
        case "ARG" | "CMD":
            pass
        case _ if word not in SAYS_NOTHING:
            raise Broken(f"the Containerfile has {word}, which {Path(__file__).name} does not know yet")


def _words(text: str) -> list[str]:
    """A command in its form of a list; there is no shell in the image to have another."""
    try:
        words: list[str] = json.loads(text)
    except ValueError:
        raise Broken(f"a command that needs a shell: {text}") from None
    return words


def _copy(stage: Stage, words: list[str], stages: Mapping[str, Stage], ignored: re.Pattern[str]) -> None:
    origin = next((word.partition("=")[2] for word in words if word.startswith("--from=")), None)
    *sources, target = [word for word in words if not word.startswith("--")]
    for source in sources:
        if not origin and ignored.search(source):
            raise Broken(f"COPY {source}: the ignore file keeps it out")
        taken = stages[origin].at(source) if origin else ROOT / source
        to = stage.at(target) / (taken.name if target.endswith("/") and taken.is_file() else "")
        if taken.is_dir():
            shutil.copytree(taken, to, symlinks=True, dirs_exist_ok=True, ignore=None if origin else _left_out(ignored))
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(taken, to)


def ignoring(text: str) -> re.Pattern[str]:
    """What an ignore file keeps out: all but the paths after `!`, and the names after `**/` wherever they are.

    Raises:
        Broken: it has a line of another form.
    """
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    kept = [line[1:] for line in lines if line.startswith("!")]
    never = [line[3:] for line in lines if line.startswith("**/")]
    if lines[0] != "*" or len(lines) != 1 + len(kept) + len(never):
        raise Broken(f"the ignore file has lines that {Path(__file__).name} does not know yet")
    names, paths = ("|".join(map(re.escape, some)) for some in (never, kept))
    return re.compile(rf"(^|/)({names})(/|$)|^(?!({paths})(/|$))")


def _left_out(ignored: re.Pattern[str]):  # noqa: ANN202 -- as shutil wants it
    def left_out(folder: str, names: list[str]) -> list[str]:
        inside = Path(folder).relative_to(ROOT)
        return [name for name in names if ignored.search(str(inside / name))]

    return left_out


def _copy_of(base: Path, root: Path) -> Path:
    """A root of one stage's own, which knows names and certificates as this machine does."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
    for file in ("etc/resolv.conf", "etc/hosts", CERTIFICATES):
        if Path("/", file).exists():
            shutil.copyfile(Path("/", file), root / file)
    return root


def _of_this_machine() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if OF_THIS_MACHINE.fullmatch(name)}
    return {**known, "SSL_CERT_FILE": f"/{CERTIFICATES}", "PIP_CERT": f"/{CERTIFICATES}", "HOME": "/root"}


def close(stage: Stage) -> list[str]:
    """Take from everybody but root what could be written to outside /tmp; what that was."""
    command = ["find", str(stage.root), "-xdev", "-perm", "-o+w", "!", "-type", "l", "!", "-type", "c"]
    open_to_all = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    closed = [path for path in map(Path, open_to_all) if path != stage.root / "tmp"]
    for path in closed:
        path.chmod(path.stat().st_mode & ~0o002)
    return sorted(f"/{path.relative_to(stage.root)}" for path in closed)


def changed_since(stage: Stage, stamp: Path) -> list[str]:
    """What has changed in the root since the stamp, /tmp aside."""
    command = ["find", str(stage.root), "-xdev", "-path", str(stage.root / "tmp"), "-prune", "-o"]
    command += ["-newercm", str(stamp), "!", "-type", "c", "-print"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
