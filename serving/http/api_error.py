"""What a client is told that asks for something that cannot be: a status, and words in the shape of its API."""

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
    def openai_body(self) -> bytes:
        """The JSON of the answer, as OpenAI's API has it."""
        kind = {401: "invalid_request_error", 429: "rate_limit_error", 503: "server_error", 500: "server_error"}
        told = {
            "message": self.message,
            "type": kind.get(self.status, "invalid_request_error"),
            "param": self.param,
            "code": self.code,
        }
        return orjson.dumps({"error": told})

    @property
    def tensorflow_body(self) -> bytes:
        """The JSON of the answer, as TensorFlow Serving has it."""
        return orjson.dumps({"error": self.message})


def cut(text: str) -> str:
    """What a client sent, as far as it is worth repeating in a message."""
    return text if len(text) <= 100 else f"{text[:100]}…"
