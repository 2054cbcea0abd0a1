"""Who may run code: the mode, the token's file, the dashboard."""

import pytest

from cluster.doctor.authentication import check_authentication, check_dashboard

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
# 8265 is 0x2049.
ON_LOOPBACK = HEADER + "   0: 0100007F:2049 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
ON_ALL = HEADER + "   0: 00000000:2049 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
ON_ALL_6 = HEADER + f"   0: {'0' * 32}:2049 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n"
CONNECTED = ON_ALL.replace(" 0A ", " 01 ")


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(0o600)
    return path


def levels(findings):
    return [finding.level.value for finding in findings]


@pytest.mark.parametrize(
    ("mode", "on_a_cluster", "due"),
    [
        ("token", True, "ok"),
        ("token", False, "ok"),
        ("disabled", True, "warning"),
        ("", True, "warning"),
        ("disabled", False, "warning"),
        ("", False, "ok"),
    ],
)
def test_a_ray_that_asks_nobody_for_a_token_is_a_warning(mode, on_a_cluster, due, token):
    environment = {"RAY_AUTH_MODE": mode, "RAY_AUTH_TOKEN_PATH": str(token)}
    assert levels(check_authentication(environment, on_a_cluster)) == [due]


def test_a_token_that_others_may_read_is_a_warning(token):
    token.chmod(0o644)
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    assert levels(check_authentication(environment, on_a_cluster=True)) == ["ok", "warning"]


@pytest.mark.parametrize("sockets", [ON_ALL, ON_ALL_6])
def test_a_dashboard_for_all_that_asks_for_no_token_is_a_failure(sockets):
    assert levels(check_dashboard({}, sockets)) == ["FAILURE"]


@pytest.mark.parametrize(
    ("environment", "sockets"),
    [({}, ON_LOOPBACK), ({}, CONNECTED), ({}, HEADER), ({"RAY_AUTH_MODE": "token"}, ON_ALL)],
)
def test_other_dashboards_need_no_word(environment, sockets):
    assert levels(check_dashboard(environment, sockets)) == []
