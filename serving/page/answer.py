"""The page as the answer to `GET /`: one document, which may load nothing but this server's own endpoints."""

import base64
import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from pipelines.report.style import STYLE

FOLDER = Path(__file__).parent
SCRIPTS = ("server.js", "models.js", "rates.js", "live.js", "texts.js")


async def page(request: Request) -> Response:
    """The document, or 304 where the browser has it already."""
    if request.headers.get("if-none-match") == HEADERS["etag"]:
        return Response(status_code=304, headers=HEADERS)
    return Response(DOCUMENT, headers=HEADERS, media_type="text/html")


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _sum(part: str) -> str:
    """As a policy names what it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"


_STYLE = STYLE + _read("page.css")
_SCRIPT = "\n".join(map(_read, SCRIPTS))

DOCUMENT = _read("page.html").replace("/* style */", _STYLE).replace("/* script */", _SCRIPT).encode()

POLICY = "; ".join(
    [
        "default-src 'none'",
        f"script-src {_sum(_SCRIPT)}",
        f"style-src {_sum(_STYLE)}",
        "connect-src 'self'",
        "img-src data:",  # the icon
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # assigning innerHTML fails
        "trusted-types 'none'",
    ]
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
    "etag": f'"{hashlib.sha256(DOCUMENT).hexdigest()[:32]}"',
}
