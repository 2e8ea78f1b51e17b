"""The stylesheet, pictures and script of the pages, under names with their hash: browsers may keep them for good."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    name: str
    content: bytes
    media_type: str


class Assets:
    """The files of a folder, read once. `mount` serves them under `at`."""

    def __init__(self, folder: Path, *, at: str) -> None:
        assets = {file.name: _asset(file) for file in folder.iterdir() if file.suffix in _TYPES}
        self._addresses = {name: f"{at}/{asset.name}" for name, asset in assets.items()}
        self._served = {asset.name: asset for asset in assets.values()}
        self.mount = Mount(at, routes=[Route("/{name}", self._serve)])

    def address(self, name: str) -> str:
        """Where a file is served.

        Raises:
            KeyError: there is no such file.
        """
        return self._addresses[name]

    async def _serve(self, request: Request) -> Response:
        asset = self._served.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return Response(asset.content, media_type=asset.media_type, headers={"cache-control": _FOR_GOOD})


def _asset(file: Path) -> _Asset:
    content = file.read_bytes()
    digest = sha256(content).hexdigest()[:16]
    return _Asset(f"{file.stem}.{digest}{file.suffix}", content, _TYPES[file.suffix])
