"""A real browser that lays out a page: what it said on its console, and how wide the page became."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

# In a frame, since a window cannot be as narrow as a phone. Boxes that scroll by themselves may hold wider things.
MEASURING_PAGE = """<!doctype html><body style="margin:0">
<iframe src="{name}" style="width:{width}px;height:800px;border:0"></iframe><pre id="measured"></pre>
<script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  const right = page.documentElement.clientWidth;
  const beyond = [...page.querySelectorAll("body *")].filter(
    element => !element.closest(".scroll") && element.getBoundingClientRect().right > right + 0.5);
  document.getElementById("measured").textContent = JSON.stringify({{
    width: page.documentElement.clientWidth,
    scroll_width: page.documentElement.scrollWidth,
    beyond: beyond.map(element => element.outerHTML.slice(0, 200)),
  }});
}};
</script></body>"""


@dataclass(frozen=True)
class Laid:
    """A page in a frame: its width, that of what is in it, elements that stick out at the right, console lines."""

    width: int
    scroll_width: int
    beyond: list[str]
    console: list[str]


def lay_out(page: Path, width: int) -> Laid:
    """Opens the page in a frame of so many pixels, its scroll bar included."""
    around = page.with_name(f"{page.stem}-{width}.html")
    around.write_text(MEASURING_PAGE.format(name=page.name, width=width), encoding="utf-8")
    assert CHROMIUM
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            "--enable-logging=stderr",
            f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={max(width, 600)},900",
            "--dump-dom",
            around.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    measured = re.search(r'<pre id="measured">(.+?)</pre>', done.stdout, re.DOTALL)
    assert measured, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Laid(**json.loads(html.unescape(measured[1])), console=console)
