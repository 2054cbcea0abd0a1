"""A request's body, as far as it is wanted; and work that ends when the client goes away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from serving.http.api_error import ApiError, cut

Result = TypeVar("Result")

# Reading JSON, and checking it, takes the event loop from others for a millisecond and more.
LONG_BODY = 1 << 16

# Who sends a body and stops halfway keeps others from room that it takes.
BODY_SECONDS = 60.0


async def read_body(request: Request, most: int, take: Callable[[int], None]) -> bytes:
    """The request's body. take: told of each part's bytes, as Intake asks for.

    Raises ApiError for one that is compressed, as soon as it is longer than allowed, and when it takes too long.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise ApiError(415, f"The content-encoding {cut(coding)} is not supported: send the body as it is.")
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                length += len(part)
                if length > most:
                    raise ApiError(413, f"The body of the request is longer than {most:,} bytes: send it in parts.")
                take(len(part))
                parts.append(part)
    except TimeoutError:
        raise ApiError(408, f"The body of the request did not come within {BODY_SECONDS:.0f} seconds.") from None
    return b"".join(parts)


async def parsed(body: bytes, parse: Callable[[bytes], Result]) -> Result:
    """What a body says; in a thread if it is long."""
    return await asyncio.to_thread(parse, body) if len(body) > LONG_BODY else parse(body)


def require_json(request: Request) -> None:
    """Raises ApiError where the body is said to be something else."""
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            415,
            f"Unsupported content type: '{cut(kind)}'. Send JSON with the header Content-Type: application/json.",
            code="unsupported_content_type",
        )


async def while_connected(request: Request, work: Awaitable[Result]) -> Result:
    """The work's result; it is cancelled when the client goes away, and ClientDisconnect raised."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
