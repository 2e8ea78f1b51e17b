"""`python -m services.bounces.classify FILE…`, or `--files-from -` for one path a line on standard input."""

import argparse
import sys
from pathlib import Path

from services.bounces.classify.command import classify_files


def main() -> None:
    """Reads the arguments and classifies the files."""
    parser = argparse.ArgumentParser(prog="python -m services.bounces.classify")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--files-from", choices=["-"], help="read one path a line from standard input")
    arguments = parser.parse_args()
    listed = (Path(line.rstrip("\n")) for line in sys.stdin if line.strip()) if arguments.files_from else iter(())
    classify_files([*arguments.files, *listed], sys.stdout)


if __name__ == "__main__":
    main()
