"""The command writes one line of JSON a file and never fails on a file."""

from __future__ import annotations

import io
import json
from pathlib import Path

from services.bounces.classify import classify_files


def test_each_file_has_one_line_in_the_order_given(tmp_path: Path) -> None:
    report = tmp_path / "a.eml"
    report.write_text(
        "From: mailer-daemon@x.example\nSubject: failure notice\n\n<jane@firm.example>:\n550 no such user\n"
    )
    plain = tmp_path / "b.eml"
    plain.write_text("From: bob@firm.example\nSubject: lunch\n\nat one?\n")
    out = io.StringIO()
    classify_files([report, plain], out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["file"] for line in lines] == [str(report), str(plain)]
    assert [line["verdict"] for line in lines] == ["final", "other"]
    assert lines[0]["recipients"] == ["jane@firm.example"]
    assert all(line["reasons"] for line in lines)


def test_a_file_that_cannot_be_read_is_other_with_a_reason(tmp_path: Path) -> None:
    out = io.StringIO()
    classify_files([tmp_path / "absent.eml", tmp_path, Path("nul\0byte")], out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["verdict"] for line in lines] == ["other"] * 3
    assert all(line["reasons"] for line in lines)
