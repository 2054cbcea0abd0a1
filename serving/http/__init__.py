"""From the bytes of requests to what is asked for, and back. Knows nothing of Ray: any ASGI server runs `http_app`."""
