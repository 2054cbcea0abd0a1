"""Has Ray drain this node when the cloud takes the machine away soon, so that workers leave it between two units.

    python -m cluster.spot_notice aws|gcp      waits for the notice of a spot machine
    python -m cluster.spot_notice now          for what is called at a notice, such as a hook of Kubernetes

Runs beside `ray start` on each spot node, and ends when the node is draining.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException

from pipelines.errors import first_line

POLL_SECONDS = 2.0
ANSWER_SECONDS = 2.0
USAGE = "python -m cluster.spot_notice aws|gcp|now"

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
AWS = "http://169.254.169.254/latest"
# https://cloud.google.com/compute/docs/instances/spot: thirty seconds from the notice
GCP = "http://metadata.google.internal/computeMetadata/v1"
GCP_SECONDS = 30.0
# A hook's, which nobody tells how long its node has left; longer harms nobody.
HOOK_SECONDS = 120.0
# A hook's, too: where the head is gone for good, as with the whole cluster, it holds the pod up for no longer.
HOOK_PATIENCE_SECONDS = 30.0


def main(argv: list[str]) -> int:
    """Waits as told, has the node drained, says so."""
    sources: Mapping[str, Callable[[], float | None]] = {"aws": aws, "gcp": gcp, "now": lambda: HOOK_SECONDS}
    if len(argv) != 1 or argv[0] not in sources:
        print(USAGE, file=sys.stderr)  # noqa: T201
        return 2
    while (seconds := sources[argv[0]]()) is None:
        time.sleep(POLL_SECONDS)
    node = drained(seconds, HOOK_PATIENCE_SECONDS if argv[0] == "now" else seconds)
    print(f"node {node} is draining: {seconds:.0f} s are left")  # noqa: T201
    return 0


def aws(service: str = AWS) -> float | None:
    """Seconds until the machine is taken away; None while there is no notice."""
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = _answer(urllib.request.Request(f"{service}/api/token", method="PUT", headers=lifetime))
    if token is None:
        return None
    headers = {"X-aws-ec2-metadata-token": token}
    notice = _answer(urllib.request.Request(f"{service}/meta-data/spot/instance-action", headers=headers))
    if notice is None:
        return None
    try:
        left = datetime.fromisoformat(json.loads(notice)["time"]) - datetime.now(UTC)
    except (ValueError, KeyError, TypeError):
        return None  # half an answer
    return max(left.total_seconds(), 1.0)


def gcp(service: str = GCP) -> float | None:
    """The same, of Google's machines."""
    request = urllib.request.Request(f"{service}/instance/preempted", headers={"Metadata-Flavor": "Google"})
    return GCP_SECONDS if _answer(request) == "TRUE" else None


def _answer(request: urllib.request.Request) -> str | None:
    """What the metadata service says; None where it has nothing, or does not answer this time."""
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            return answer.read().decode().strip()
    except (OSError, HTTPException, ValueError):
        return None


def drain_this_node(seconds: float) -> str:
    """Tells Ray that this machine has so many seconds left; gives its node's id. Raises RuntimeError if Ray refuses."""
    import ray
    from ray._raylet import GcsClient  # pyright: ignore[reportAttributeAccessIssue]
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason  # pyright: ignore[reportAttributeAccessIssue]

    from pipelines.job.session import ray_session

    with ray_session("auto", cpus=0):
        context = ray.get_runtime_context()
        node, address = context.get_node_id(), context.gcs_address
        preemption = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + seconds) * 1000)
        accepted, why = GcsClient(address=address).drain_node(node, preemption, "notice of a spot machine", deadline)
    if not accepted:
        raise RuntimeError(f"Ray does not drain node {node}: {why}")
    return node


def drained(seconds: float, patience: float, drain: Callable[[float], str] = drain_this_node) -> str:
    """Has the node drained, at the first or a later attempt: Ray's head may be away for a moment. Gives its node's id.

    seconds: that the machine has left. patience: seconds after which the last attempt's error is raised.
    """
    began = time.monotonic()
    while True:
        try:
            return drain(max(seconds - (time.monotonic() - began), 1.0))
        except Exception as error:
            if time.monotonic() - began + POLL_SECONDS > patience:
                raise
            print(f"not drained yet: {first_line(error)}", flush=True)  # noqa: T201
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
