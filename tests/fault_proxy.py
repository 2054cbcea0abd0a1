"""A proxy in front of an S3 server that fails as real stores do: `python -m tests.fault_proxy --upstream URL --port P`.

Which requests fail is drawn by a seeded random, or told for the next ones. GET /_faults tells what was counted, in
JSON; POST /_faults sets `rate`, `kinds`, `expired` or `next`.
"""

import argparse
import asyncio
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

CONTROL = "/_faults"
CHUNK = 1 << 16

# By kind: the methods whose requests can fail so.
#   error, slow_down: answers 500 and 503.   hang: silent for `hang_seconds`, then closed.   reset: closed at once.
#   cut: closed half-way through the body of the answer.   lost: done by the server, and closed without an answer.
KINDS = {
    "error": ("GET", "HEAD", "PUT", "POST", "DELETE"),
    "slow_down": ("GET", "HEAD", "PUT", "POST", "DELETE"),
    "hang": ("GET", "HEAD", "PUT", "POST", "DELETE"),
    "reset": ("GET", "HEAD", "PUT", "POST", "DELETE"),
    "cut": ("GET",),
    "lost": ("PUT", "DELETE"),
}
ANSWERS = {
    "error": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow_down": (503, "SlowDown", "Please reduce your request rate."),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "denied": (403, "AccessDenied", "Access Denied"),
}
PASSED_ON = ("connection", "keep-alive", "transfer-encoding", "expect")


@dataclass
class FaultProxy:
    """upstream: URL of the server. rate: the part of the requests that fails. expired: access keys that are refused.
    denied: methods that nobody has a right to. broken: parts of paths of objects that cannot be written, ever. next:
    kinds of faults for the next requests, each kept for the first that can fail so.

    requests: counted by method. faults: by kind.
    """

    upstream: str
    rate: float = 0.0
    seed: int = 0
    kinds: tuple[str, ...] = tuple(KINDS)
    hang_seconds: float = 2.0
    log: Path | None = None
    expired: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    next: deque[str] = field(default_factory=deque)
    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._listening = threading.Event()
        self._stopped = asyncio.Event()

    def url(self, port: int) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{port}"

    async def serve(self, port: int) -> None:
        """Serves until it is cancelled, or `running` ends."""
        self._loop = asyncio.get_running_loop()
        self._client = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self._listening.set()
        await self._stopped.wait()
        await runner.cleanup()
        await self._client.close()

    def told(self) -> dict[str, Any]:
        """What was counted, and the rate."""
        return {"rate": self.rate, "requests": dict(self.requests), "faults": dict(self.faults)}

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == CONTROL:
            return await self._control(request)
        self.requests[request.method] += 1
        fault = self._fault(request)
        if fault:
            self.faults[fault] += 1
        if self.log:
            with self.log.open("a") as file:
                file.write(f"{time.time():.3f} {request.method} {request.raw_path} {fault or ''}\n")
        try:
            return await self._answered(request, fault)
        except ConnectionResetError:  # the client is gone, or was killed
            return _closed(request)

    async def _answered(self, request: web.BaseRequest, fault: str | None) -> web.StreamResponse:
        if fault in ANSWERS:
            return _answer(request, fault)
        if fault in ("hang", "reset"):
            await asyncio.sleep(self.hang_seconds if fault == "hang" else 0)
            return _closed(request)
        if request.headers.get("Expect") and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._forward(request, await request.content.read(), fault)

    async def _control(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            asked = await request.json()
            self.rate = asked.get("rate", self.rate)
            self.kinds = tuple(asked.get("kinds", self.kinds))
            self.expired = set(asked.get("expired", self.expired))
            self.next.extend(asked.get("next", ()))
        return web.json_response(self.told())

    def _fault(self, request: web.BaseRequest) -> str | None:
        if any(f"Credential={key}/" in request.headers.get("Authorization", "") for key in self.expired):
            return "expired"
        if request.method in self.denied:
            return "denied"
        if request.method == "PUT" and any(part in request.raw_path for part in self.broken):
            return "error"
        if self.next and request.method in KINDS[self.next[0]]:
            return self.next.popleft()
        if self._random.random() >= self.rate:
            return None
        return self._random.choice([kind for kind in self.kinds if request.method in KINDS[kind]] or [None])

    async def _forward(self, request: web.BaseRequest, body: bytes, fault: str | None) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in PASSED_ON]
        url = URL(self.upstream + request.raw_path, encoded=True)
        async with self._client.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            if fault == "lost":
                await answer.read()
                return _closed(request)
            ours = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in PASSED_ON:
                    ours.headers.add(name, value)
            await ours.prepare(request)
            left = (answer.content_length or 0) // 2 if fault == "cut" else None
            if request.method != "HEAD":
                async for chunk in answer.content.iter_chunked(CHUNK):
                    await ours.write(chunk[:left])
                    left = None if left is None else left - len(chunk)
                    if left is not None and left <= 0:
                        return _closed(request)
            if fault == "cut":
                return _closed(request)
            await ours.write_eof()
            return ours


def _answer(request: web.BaseRequest, kind: str) -> web.Response:
    status, code, message = ANSWERS[kind]
    body = f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text="" if request.method == "HEAD" else body, content_type="application/xml")


def _closed(request: web.BaseRequest) -> web.Response:
    """Nothing more is sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@contextmanager
def running(proxy: FaultProxy, port: int) -> Iterator[FaultProxy]:
    """The proxy in a thread of this process, for the time of the block."""
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(port)))
    thread.start()
    proxy._listening.wait()
    try:
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(proxy._stopped.set)
        thread.join()


def main() -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    proxy = FaultProxy(given.upstream, given.rate, given.seed, tuple(given.kinds.split(",")), log=given.log)
    try:
        asyncio.run(proxy.serve(given.port))
    except KeyboardInterrupt:
        print(json.dumps(proxy.told()))


if __name__ == "__main__":
    main()
