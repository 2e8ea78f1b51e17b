"""One version of a text, a folder: `meta.yaml` and a Markdown file a language, checked together and hashed together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from services.kernel.adapters.library.documents import Document, Fault, read_document, shaped
from services.kernel.adapters.library.markdown import markdown_faults
from services.kernel.adapters.library.shapes import TextMetaFile
from services.kernel.domain.template import (
    PLACEHOLDER,
    Placeholder,
    Template,
    Wording,
    placeholder_faults,
)

_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_VERSION = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


def load_versions(folder: Path, regime: str, languages: Iterable[str], faults: list[Fault]) -> dict[str, Template]:
    """Load every version of one text, by number; what hinders one is added to `faults`."""
    loaded: dict[str, Template] = {}
    for version in visible(folder):
        if _VERSION.fullmatch(version.name) and version.is_dir():
            if template := load_version(version, regime, languages, faults):
                loaded[version.name] = template
        else:
            faults.append(Fault(version, 1, "", "not a version: a folder named 1, 2, 3 and so on is expected"))
    if not loaded and not faults:
        faults.append(Fault(folder, 1, "", "a text needs at least one version"))
    return loaded


def load_version(folder: Path, regime: str, languages: Iterable[str], faults: list[Fault]) -> Template | None:
    """Load one version; None, and its faults added to `faults`, if anything is wrong with it."""
    found: list[Fault] = []
    document = read_document(folder / "meta.yaml", found)
    meta = shaped(document, TextMetaFile, found)
    wanted = list(languages)
    bodies = {language: _body(folder / f"{language}.md", found) for language in wanted}
    found += _stray_files(folder, wanted)
    if meta is not None and document is not None:
        found += _wording_faults(folder, document, meta, bodies)
    faults += found
    return None if found or meta is None else _template(folder, regime, meta, bodies)


def version_hash(folder: Path) -> bytes:
    """SHA-256 over the files of a version: by name, each led by name and length, line ends as LF, in UTF-8."""
    digest = sha256()
    for file in visible(folder):
        content = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{file.name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.digest()


def visible(folder: Path) -> list[Path]:
    """List what is in a folder, by name, without hidden files; empty if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))


def _body(file: Path, faults: list[Fault]) -> str:
    try:
        body = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        faults.append(Fault(file, 1, "", "the file is missing"))
        return ""
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Fault(file, 1, "", f"cannot be read as UTF-8 text: {type(error).__name__}"))
        return ""
    if not body.strip():
        faults.append(Fault(file, 1, "", "the text is empty"))
    return body


def _stray_files(folder: Path, languages: list[str]) -> list[Fault]:
    expected = {"meta.yaml", *(f"{language}.md" for language in languages)}
    return [Fault(each, 1, "", "no part of a text") for each in visible(folder) if each.name not in expected]


def _wording_faults(folder: Path, document: Document, meta: TextMetaFile, bodies: dict[str, str]) -> list[Fault]:
    declared = frozenset(meta.placeholders)
    faults: list[Fault] = []
    for language, body in bodies.items():
        file = folder / f"{language}.md"
        faults += [Fault(file, 1, "", f"{fault}: not allowed") for fault in markdown_faults(body)]
        faults += _body_placeholder_faults(file, body, declared)
        faults += _subject_faults(document, meta, language, declared)
        used = set(PLACEHOLDER.findall(body + meta.subjects.get(language, "")))
        for name in sorted(declared - used):
            faults.append(document.fault(f"the {language} text does not use it", "placeholders", name))
    for language in sorted(meta.subjects.keys() - bodies.keys()):
        faults.append(document.fault("the regime has no such language", "subjects", language))
    return faults


def _body_placeholder_faults(file: Path, body: str, declared: frozenset[str]) -> list[Fault]:
    return [
        Fault(file, number, "", fault)
        for number, line in enumerate(body.splitlines(), start=1)
        for fault in placeholder_faults(line, declared)
    ]


def _subject_faults(document: Document, meta: TextMetaFile, language: str, declared: frozenset[str]) -> list[Fault]:
    subject = meta.subjects.get(language)
    if subject is None:
        return [document.fault(f"the {language} subject is missing", "subjects", language)]
    faults = placeholder_faults(subject, declared)
    if _LINE_BREAKS.search(subject):
        faults.append("a subject is one line without control characters")
    return [document.fault(fault, "subjects", language) for fault in faults]


def _template(folder: Path, regime: str, meta: TextMetaFile, bodies: dict[str, str]) -> Template:
    return Template(
        regime=regime,
        name=folder.parent.name,
        version=folder.name,
        content_hash=version_hash(folder),
        wordings={language: Wording(meta.subjects[language], body) for language, body in bodies.items()},
        placeholders={
            name: Placeholder(name, each.kind, each.longest, each.given_by) for name, each in meta.placeholders.items()
        },
        approved_by=meta.approved_by,
        approved_on=meta.approved_on,
    )
