"""Security headers of every page (OWASP secure headers; CSP Level 3). Nothing from elsewhere, no frame.

No script either, unless a site has one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; {script}style-src 'self'; img-src 'self'; form-action 'self'{forms}; "
    "frame-ancestors 'none'; base-uri 'none'"
)


class SecurityHeaders:
    """Adds the headers to every answer of an application that does not set them itself.

    `forms` are further origins to which a form may lead: a sign-in's provider, after a redirect. `hsts`: only where TLS
    ends in front of us for the whole host. `script`: files of our own may be run, and fetch our own pages.
    """

    def __init__(self, app: ASGIApp, *, forms: Iterable[str] = (), hsts: bool = False, script: bool = False) -> None:
        self._app = app
        own = "script-src 'self'; connect-src 'self'; " if script else ""
        policy = POLICY.format(script=own, forms="".join(f" {origin}" for origin in forms))
        headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
            "x-frame-options": "DENY",
            "cache-control": "no-store",
        }
        if hsts:
            headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", [])}
                more = [pair for pair in self._headers if pair[0] not in present]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        await self._app(scope, receive, with_headers)
