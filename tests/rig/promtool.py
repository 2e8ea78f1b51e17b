"""promtool and amtool, the judges of Prometheus' rules and of Alertmanager's routes: Debian's, installed if we may."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.rig.debian import do_without, install

HOW_TO = "{} is not installed: on Debian or Ubuntu `sudo apt-get install {}`; its service may stay off"


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool, and wait for its judgement."""
    return _judge("promtool", "prometheus", *arguments)


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run amtool, and wait for its judgement."""
    return _judge("amtool", "prometheus-alertmanager", *arguments)


def _judge(tool: str, package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which(tool) or (shutil.which(tool) if install(package) else None)
    command = [found or do_without(HOW_TO.format(tool, package)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
