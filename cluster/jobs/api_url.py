"""Where a cluster's Jobs API is, when no option says it."""

ADDRESS = "RAY_API_SERVER_ADDRESS"
DEFAULT_URL = "http://127.0.0.1:8265"
