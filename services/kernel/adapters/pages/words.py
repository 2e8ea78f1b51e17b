"""Words of pages: a YAML file a language, or a folder of them, read once.

A key is the path to a text, with dots (`notices.title`); a text may have `{placeholders}`. Where a number decides the
form, the key leads to the plural forms of CLDR instead: English `one`, `other`; Welsh `zero`, `one`, `two`, `few`,
`many`, `other`. Words are text, not HTML; what is put into them is escaped unless it is markup already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from markupsafe import Markup, escape


class WordsFault(Exception):
    """The words cannot be used: what is wrong, and in which file."""


def _english(count: int) -> str:
    return "one" if count == 1 else "other"


def _welsh(count: int) -> str:
    return {0: "zero", 1: "one", 2: "two", 3: "few", 6: "many"}.get(count, "other")


FORMS: Mapping[str, tuple[frozenset[str], Callable[[int], str]]] = {
    "en": (frozenset({"one", "other"}), _english),
    "cy": (frozenset({"zero", "one", "two", "few", "many", "other"}), _welsh),
}
"""The plural forms of each language, and which a whole number takes (Unicode CLDR, cardinal)."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language. `languages` are all that the site has, in order."""

    language: str
    languages: tuple[str, ...]
    texts: Mapping[str, Markup | Mapping[str, Markup]]

    def text(self, key: str, /, **values: object) -> Markup:
        """The text of a key, with its values; `count` chooses the plural form where there are any.

        Raises:
            KeyError: there is no such key, or a value is missing.
        """
        found = self.texts[key]
        if not isinstance(found, Markup):
            count = values["count"]
            if not isinstance(count, int):
                raise TypeError(f"{key}: count must be a whole number")
            found = found[FORMS[self.language][1](count)]
        return found.format(**values) if values else found

    def __contains__(self, key: object) -> bool:
        return key in self.texts


def read_words(*folders: Path) -> dict[str, Words]:
    """Read the words of every language, those of all folders together; the last folder says which languages there are.

    Raises:
        WordsFault: a file is missing or not valid, a text is empty, plural forms are not those of the language, or two
            files have the same key.
    """
    found = {file.stem for file in folders[-1].iterdir() if file.is_dir() or file.suffix == ".yaml"}
    languages = tuple(language for language in FORMS if language in found)
    if strange := sorted(found - FORMS.keys()):
        raise WordsFault(f"{folders[-1]}: no plural rule is known for {', '.join(strange)}")
    return {
        language: Words(
            language, languages, _together(language, [file for folder in folders for file in _files(folder, language)])
        )
        for language in languages
    }


def _files(folder: Path, language: str) -> list[Path]:
    """The files of a language: `en/*.yaml` in the order of their names, or `en.yaml`."""
    parts = sorted((folder / language).glob("*.yaml"))
    return parts or [folder / f"{language}.yaml"]


def _together(language: str, files: list[Path]) -> dict[str, Markup | Mapping[str, Markup]]:
    texts: dict[str, Markup | Mapping[str, Markup]] = {}
    for file in files:
        for key, text in _texts(file, FORMS[language][0]):
            if key in texts:
                raise WordsFault(f"{file}: {key}: there are words of this key already")
            texts[key] = text
    return texts


def _texts(file: Path, forms: frozenset[str]) -> Iterator[tuple[str, Markup | Mapping[str, Markup]]]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WordsFault(f"{file}: {error}") from error
    yield from _leaves(file, (), tree, forms)


def _leaves(
    file: Path, path: tuple[str, ...], node: object, forms: frozenset[str]
) -> Iterator[tuple[str, Markup | Mapping[str, Markup]]]:
    key = ".".join(path)
    if isinstance(node, str) and node.strip():
        yield key, escape(node.strip())
    elif isinstance(node, dict) and node.keys() == forms:
        yield key, {form: escape(str(text).strip()) for form, text in node.items()}
    elif isinstance(node, dict) and "other" not in node:
        for name, child in node.items():
            yield from _leaves(file, (*path, str(name)), child, forms)
    else:
        raise WordsFault(f"{file}: {key}: a text, or the plural forms {', '.join(sorted(forms))}")
