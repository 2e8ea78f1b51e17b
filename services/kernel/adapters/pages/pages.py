"""Writes pages: a site's templates and words over the kit's own (`duly/…`), compiled once, escaped by default.

In a template, beside what the caller passes: `t(key, count=…, **values)` and `has_words(key)` for words, `asset(name)`
for the address of a stylesheet or picture, `language`, `authority`, and the filters `day`, `moment`, `second`,
`before`, `age` and `size`. A name that is not there is an error, never an empty space.
"""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from types import CodeType

from jinja2 import BytecodeCache, ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from starlette.responses import HTMLResponse

from services.kernel.adapters.pages.assets import Assets
from services.kernel.adapters.pages.words import read_words
from services.kernel.adapters.pages.writing import Writing, before

KIT = Path(__file__).parent


class _Compiled(BytecodeCache):
    """Templates compiled in this process, each once a language: what a filter makes of a constant is compiled in."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED: dict[str, _Compiled] = {}


class Pages:
    """The pages of one site, in every language that it has words for.

    `authority` is the name in the header of each page; `zone` the one in which instants are shown,
    None where they come in local time. `static` is the mount that serves the stylesheet and pictures.
    """

    def __init__(
        self, templates: Path, words: Path, *, authority: str = "Supervision Authority", zone: tzinfo | None = None
    ) -> None:
        """Read and compile everything.

        Raises:
            WordsFault: a file of words is not as it should be.
            jinja2.TemplateSyntaxError: a template is not.
        """
        self._assets = Assets(KIT / "static", at="/static")
        self.static = self._assets.mount
        loader = ChoiceLoader([FileSystemLoader(templates), FileSystemLoader(KIT / "templates")])
        self._environments = {
            language: self._environment(Writing(spoken, zone), loader, authority)
            for language, spoken in read_words(KIT / "words", words).items()
        }

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that pages can be written in, as BCP 47 tags."""
        return tuple(self._environments)

    def write(self, template: str, language: str, /, status_code: int = 200, **values: object) -> HTMLResponse:
        """Write one page.

        Raises:
            KeyError: there are no words in this language, or not these.
            jinja2.UndefinedError: the template needs a value that was not passed.
        """
        page = self._environments[language].get_template(template).render(values)
        return HTMLResponse(page, status_code, headers={"content-language": language})

    def _environment(self, writing: Writing, loader: ChoiceLoader, authority: str) -> Environment:
        environment = Environment(
            loader=loader,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_COMPILED.setdefault(writing.words.language, _Compiled()),
            cache_size=-1,
        )
        words = writing.words
        environment.globals.update(
            t=words.text,
            has_words=words.__contains__,
            asset=self._assets.address,
            language=words.language,
            languages=words.languages,
            authority=authority,
        )
        environment.filters.update(
            day=writing.day,
            moment=writing.moment,
            second=writing.second,
            before=before,
            size=writing.size,
            age=writing.age,
        )
        for name in environment.list_templates(extensions=["html"]):
            environment.get_template(name)
        return environment
