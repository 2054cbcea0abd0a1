"""Clients that send texts one by one to an embeddings API, as many at once as asked for, and what they saw."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson


@dataclass
class Seen:
    """seconds: of each answer 200. refused: seconds of each other answer. statuses: 0 for no answer at all."""

    seconds: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0

    def quantile_ms(self, share: float) -> float:
        """Milliseconds that so large a share of the answers 200 took at most."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3 if ordered else float("nan")


def send(
    address: str, model: str, texts: Sequence[str], clients: int, seconds: float, rate: float | None = None
) -> Seen:
    """Sends for so long. rate: requests a second of all clients together; None for as fast as answers come."""
    return asyncio.run(_send(address, model, texts, clients, seconds, rate))


async def _send(
    address: str, model: str, texts: Sequence[str], clients: int, seconds: float, rate: float | None
) -> Seen:
    seen, supply = Seen(), itertools.cycle(texts)
    until = time.perf_counter() + seconds
    pauses = clients / rate if rate else 0.0
    await asyncio.gather(*(_client(address, model, supply, until, pauses, n / clients, seen) for n in range(clients)))
    return seen


async def _client(
    address: str, model: str, texts: Iterator[str], until: float, pause: float, phase: float, seen: Seen
) -> None:
    """One keep-alive connection. pause: seconds from one request's beginning to the next one's."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    due = time.perf_counter() + phase * pause
    while (now := time.perf_counter()) < until:
        if due > now:
            await asyncio.sleep(due - now)
        due = max(due + pause, time.perf_counter() - pause)
        started = time.perf_counter()
        try:
            connection = connection or await _connected(address)
            status, headers = await _ask(*connection, address, model, next(texts))
        except (OSError, asyncio.IncompleteReadError):
            status, headers, connection = 0, b"", None
        took = time.perf_counter() - started
        seen.statuses[status] += 1
        (seen.seconds if status == 200 else seen.refused).append(took)
        seen.without_retry_after += status in (429, 503) and b"retry-after" not in headers.lower()
    if connection:
        connection[1].close()


async def _connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(address)
    return await asyncio.open_connection(url.hostname, url.port)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, model: str, text: str
) -> tuple[int, bytes]:
    body = orjson.dumps({"model": model, "input": text, "truncate": True})
    head = f"POST /v1/embeddings HTTP/1.1\r\nhost: {urlsplit(address).netloc}\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    headers = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in headers.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return int(headers.split(b" ", 2)[1]), headers
