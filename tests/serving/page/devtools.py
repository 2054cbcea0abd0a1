"""A real browser that is told what to do through its DevTools protocol, over two pipes."""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.pipelines.report.browser import CHROMIUM

MOST_SECONDS = 60  # between two messages of the browser, one of which ends a wait below

# Looks again at every frame that would be drawn, until there is something true.
WAIT = """new Promise((found, failed) => {{
  const last = performance.now() + {seconds} * 1000;
  const look = () => {{
    const value = ({condition});
    if (value) found(value);
    else if (performance.now() > last) failed(new Error("it did not come; the page says: " + document.body.innerText));
    else requestAnimationFrame(look);
  }};
  look();
}})"""


class Browser:
    """Chromium at the other ends of two pipes. Each message is JSON that ends with a zero byte."""

    def __init__(self, to: int, back: int) -> None:
        self._to = to
        self._back = back
        self._read = b""
        self._numbers = 0
        self.tabs: dict[str, Tab] = {}

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of a command; events that come meanwhile go to their tabs."""
        self._numbers += 1
        message = {"id": self._numbers, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._numbers:
            if tab := self.tabs.get(answer.get("sessionId", "")):
                tab.hear(answer["method"], answer["params"])
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            assert select.select([self._back], [], [], MOST_SECONDS)[0], "the browser does not answer"
            part = os.read(self._back, 1 << 20)
            assert part, "the browser has ended"
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> "Tab":
        """A new tab with a session storage of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self.tabs[session] = Tab(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            tab.call(f"{domain}.enable")
        tab.resize(1200)
        tab.call("Page.navigate", url=url)
        tab.wait(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")
        return tab


class Tab:
    """requested: the URLs that were asked for. complaints: of the console, errors that nobody caught."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.requested: list[str] = []
        self.complaints: list[str] = []

    def hear(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        if method == "Log.entryAdded":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(params))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def value(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it is settled with."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"]["exception"].get("description"))
        return done["result"].get("value")

    def wait(self, condition: str, seconds: float = 30) -> Any:
        """The condition's value as soon as it is true."""
        return self.value(WAIT.format(condition=condition, seconds=seconds))

    def reload(self) -> None:
        """Loads the page again; what it held is gone when this returns."""
        self.value("globalThis.before = true")
        self.call("Page.reload")
        self.wait("globalThis.before === undefined && document.readyState === 'complete'")

    def resize(self, width: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def text(self, selector: str) -> str:
        return self.value(f"document.querySelector({json.dumps(selector)}).textContent")

    def fill(self, selector: str, text: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(text)}")

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).click()")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile."""
    assert CHROMIUM
    its_in, to = os.pipe()
    back, its_out = os.pipe()
    # It reads from descriptor 3 and writes to 4, whatever these are here.
    shell = f'exec "$0" "$@" 3<&{its_in} 4>&{its_out}'
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
    process = subprocess.Popen(
        ["bash", "-c", shell, CHROMIUM, *options, "--disable-background-networking", f"--user-data-dir={profile}"],
        pass_fds=(its_in, its_out),
        stderr=subprocess.DEVNULL,
    )
    os.close(its_in)
    os.close(its_out)
    chromium = Browser(to, back)
    try:
        yield chromium
    finally:
        chromium.call("Browser.close")
        process.wait(timeout=60)
        os.close(to)
        os.close(back)
