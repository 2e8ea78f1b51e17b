"""promtool, the judge of Prometheus' rules: Debian's, installed where we may."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.rig.debian import do_without, install

HOW_TO = (
    "promtool is not installed: on Debian or Ubuntu `sudo apt-get install prometheus`, on macOS "
    "`brew install prometheus`; its service may stay off"
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool, and wait for its judgement."""
    found = shutil.which("promtool") or (shutil.which("promtool") if install("prometheus") else None)
    command = [found or do_without(HOW_TO), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
