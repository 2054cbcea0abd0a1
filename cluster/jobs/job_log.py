"""The log of a job without what Ray writes into it: the command's own lines, each once."""

from collections.abc import Iterator

from cluster.jobs.client import ClusterJob


class JobLog:
    """Takes the log in pieces, from the beginning as often as it is read again, and gives the lines not given yet."""

    def __init__(self, job: ClusterJob) -> None:
        self._header = f"Running entrypoint for job {job.id}: "
        self._header_lines = 1 + job.entrypoint.count("\n")
        self._given = 0
        self.read_again()

    def read_again(self) -> None:
        """From now on pieces come from the beginning of the log."""
        self._rest = ""
        self._begun = False
        self._position = -self._header_lines

    def new_lines(self, piece: str) -> Iterator[str]:
        """The whole lines of the command that end in this piece."""
        *lines, self._rest = (self._rest + piece).split("\n")
        for line in lines:
            self._begun = self._begun or line.startswith(self._header)
            if not self._begun:
                continue
            self._position += 1
            if self._position > self._given:
                self._given = self._position
                yield line

    def all_lines(self, log: str) -> list[str]:
        """Those of the whole log that were not given yet, the last one too if it has no end."""
        self.read_again()
        return list(self.new_lines(log if log.endswith("\n") else f"{log}\n"))
