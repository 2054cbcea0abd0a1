"""What a client is told that asks for something that cannot be: a status, and words in the shape of OpenAI's API."""

import orjson


class ApiError(Exception):
    """A request that cannot be served.

    status: of HTTP. message: says what to do. code: for programs. param: the part of the request that is wrong.
    retry_after: seconds after which to try again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after

    @property
    def body(self) -> bytes:
        """The JSON of the answer."""
        kind = {401: "invalid_request_error", 429: "rate_limit_error", 503: "server_error", 500: "server_error"}
        told = {
            "message": self.message,
            "type": kind.get(self.status, "invalid_request_error"),
            "param": self.param,
            "code": self.code,
        }
        return orjson.dumps({"error": told})
