"""What `serve deploy` and Kubernetes start: `import_path: cluster.deployed:application`, with the options as `args`."""

from typing import Any

from ray.serve import Application

from cluster.arguments import parse_mapping
from cluster.serving_options import replicas_of, require_vectors, serving_of
from pipelines.errors import UsageError
from serving import application as serving_application

# What the file that names this says outside of `args`.
ELSEWHERE = ("host", "port", "name", "address")


def application(args: dict[str, Any]) -> Application:
    """The application of these options of `encorpus serve`, under the same names.

    Keys have to be asked for or waived, since a cluster's address is anybody's. Raises UsageError, and ModelError.
    """
    for name in args:
        if name in ELSEWHERE:
            raise UsageError(f"args: {name} is no option here; the file says it in http_options or beside args")
    arguments = parse_mapping("serve", args, "args")
    arguments.address = "auto"  # the cluster that this runs on
    serving = serving_of(arguments)
    require_vectors(serving)
    return serving_application.application(serving, replicas_of(arguments))
