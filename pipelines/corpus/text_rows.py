"""Plain text: a line is a document. A blank line is one too, with a blank text."""

from pipelines.corpus.lines import LINE_TOO_LONG, PREFIX_BYTES, Line
from pipelines.corpus.rows import INVALID_UTF8, RowBuilder


def add_text_line(builder: RowBuilder, line: Line) -> None:
    """Adds the line to the builder: one row or one reject."""
    content = line.content.removesuffix(b"\r")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    if line.whole and text is not None:
        builder.add(line.offset, text, None, builder.from_path)
        return
    reason = INVALID_UTF8 if line.whole else LINE_TOO_LONG
    builder.reject(line.offset, reason, content[:PREFIX_BYTES].decode("utf-8", "replace"))
