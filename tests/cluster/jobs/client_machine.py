"""A machine from which jobs are submitted: `encorpus` as a process of its own, with its own home and environment."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.command_line import Finished
from tests.cluster.jobs.ray_cluster import RayCluster

COMMAND_SECONDS = 200


@dataclass(frozen=True)
class ClientMachine:
    """cluster: whose token it has. home: a folder, made when it is used."""

    cluster: RayCluster
    home: Path

    def run(self, *words: object, url: str | None = None, **environment: str | None) -> Finished:
        """One command to its end. environment: changes to it. url: by which it reaches the cluster."""
        process = self._process(words, url, environment)
        out, err = process.communicate(timeout=COMMAND_SECONDS)
        return Finished(process.returncode, out, err)

    @contextmanager
    def running(self, *words: object, url: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """A command while it runs; gone at the end in any case."""
        process = self._process(words, url, {})
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def _process(self, words: tuple[object, ...], url: str | None, changes: dict[str, str | None]) -> subprocess.Popen:
        self.home.mkdir(exist_ok=True)
        where = ["--cluster", url or self.cluster.url]
        return subprocess.Popen(
            [sys.executable, "-m", "cluster.cli", str(words[0]), *where, *map(str, words[1:])],
            cwd=self.home,
            env=self.cluster.environment(self.home, **changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
