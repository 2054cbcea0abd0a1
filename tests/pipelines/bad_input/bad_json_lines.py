"""Bad lines among good ones in JSON Lines."""

import codecs

from pipelines.corpus.plan import Columns
from tests.pipelines.bad_input.bad_file import GOOD, Bad
from tests.pipelines.output.fake_job import TEXT

INVALID = "invalid JSON: "
KEYED = Columns("text", "key")
KEEPING = Columns("text", None, ("kept",))


def bad_line(fault: str, line: bytes, reason: str, columns: Columns = TEXT, good: tuple = GOOD) -> Bad:
    """The line between two good ones."""
    first, last = (b'{"text": "%s", "key": %d, "kept": 1}\n' % (text.encode(), row) for row, text in enumerate(GOOD))
    return Bad(fault, "a.jsonl", first + line + b"\n" + last, reason, good, columns)


BAD_TEXTS = [
    bad_line("the text is null", b'{"text": null}', "text is null"),
    bad_line("the text is a number", b'{"text": 5}', "text is a number, not a string"),
    bad_line("the text is a boolean", b'{"text": true}', "text is a boolean, not a string"),
    bad_line("the text is an array", b'{"text": ["a"]}', "text is an array, not a string"),
    bad_line("the text is an object", b'{"text": {"a": 1}}', "text is an object, not a string"),
    bad_line("no text", b'{"other": "a"}', "no key 'text'"),
    bad_line("no keys", b"{}", "no key 'text'"),
    bad_line("the last of two texts is null", b'{"text": "a", "text": null}', "text is null"),
]
BAD_IDS = [
    bad_line("the id is null", b'{"text": "a", "key": null}', "id is null", KEYED),
    bad_line("no id", b'{"text": "a"}', "no key 'key'", KEYED),
    bad_line(
        "the id is an array",
        b'{"text": "a", "key": []}',
        "id is an array, not a string or an integer of 64 bits",
        KEYED,
    ),
    bad_line(
        "the id is a number beyond 64 bits",
        b'{"text": "a", "key": 99999999999999999999}',
        "id is a number, not a string or an integer of 64 bits",
        KEYED,
    ),
]
BAD_KEPT = [
    bad_line(
        "a kept number beyond 64 bits",
        b'{"text": "a", "kept": 99999999999999999999}',
        "a kept value has an integer beyond 64 bits",
        KEEPING,
    ),
    bad_line(
        "a kept value nested deeply",
        b'{"text": "a", "kept": ' + b"[" * 900 + b"]" * 900 + b"}",
        "a kept value is nested too deeply",
        KEEPING,
    ),
]
NO_OBJECTS = [
    bad_line("an array", b'["a"]', "JSON is an array, not an object"),
    bad_line("a string", b'"a"', "JSON is a string, not an object"),
    bad_line("a number", b"5", "JSON is a number, not an object"),
    bad_line("a boolean", b"true", "JSON is a boolean, not an object"),
    bad_line("null", b"null", "JSON is null, not an object"),
]
NO_JSON = [
    bad_line("words", b"hello", INVALID + "the line is no JSON at all"),
    bad_line("a line cut off in a value", b'{"text": "a', INVALID + "the line ends inside the JSON"),
    bad_line("a brace left open", b'{"text": "a"', INVALID + "the line ends inside the JSON"),
    bad_line("two objects", b'{"text": "a"} {"text": "b"}', INVALID + "something follows the JSON in its line"),
    bad_line("a comma after the object", b'{"text": "a"},', INVALID + "something follows the JSON in its line"),
    bad_line("a comma before the brace", b'{"text": "a",}', INVALID + "trailing comma is not allowed"),
    bad_line("single quotes", b"{'text': 'a'}", INVALID + "strings must stand in double quotes"),
    bad_line("a key without quotes", b'{text: "a"}', INVALID + "keys must stand in double quotes"),
    bad_line("NaN", b'{"text": "a", "n": NaN}', INVALID + "NaN and Infinity are no JSON numbers"),
    bad_line("minus infinity", b'{"text": "a", "n": -Infinity}', INVALID + "NaN and Infinity are no JSON numbers"),
    bad_line("Python's None", b'{"text": None}', INVALID + "None, True and False are Python, not JSON"),
    bad_line("a comment", b'{"text": "a"} // why', INVALID + "comments are not JSON"),
    bad_line("a number that is none", b'{"text": "a", "n": 1.}', INVALID + "no digit after decimal point"),
    bad_line(
        "a number with a zero before it", b'{"text": "a", "n": 01}', INVALID + "number with leading zero is not allowed"
    ),
    bad_line("a number beyond all", b'{"text": "a", "n": 1e999}', INVALID + "number is infinity when parsed as double"),
    bad_line("an unknown escape", b'{"text": "\\x"}', INVALID + "invalid escaped sequence in string"),
    bad_line("a raw control character", b'{"text": "a\tb"}', INVALID + "unexpected control character in string"),
    bad_line("a raw NUL", b'{"text": "a\0b"}', INVALID + "unexpected control character in string"),
    bad_line("NULs, as a crash leaves them", b"\0" * 100, INVALID + "the line is nothing but NUL bytes"),
    bad_line(
        "a lone surrogate",
        b'{"text": "\\ud800"}',
        INVALID + "a lone surrogate (\\ud800 to \\udfff) is not a character",
    ),
    bad_line("a byte order mark", codecs.BOM_UTF8 + b'{"text": "a"}', INVALID + "a byte order mark inside the file"),
    bad_line(
        "arrays in arrays", b'{"text": "a", "n": ' + b"[" * 2000 + b"]" * 2000 + b"}", INVALID + "depth limit exceeded"
    ),
    bad_line("invalid UTF-8", b'{"text": "\xff"}', "invalid UTF-8"),
    bad_line("a surrogate as UTF-8", b'{"text": "\xed\xa0\x80"}', "invalid UTF-8"),
]
NO_LINES = [
    Bad(
        "one array",
        "a.json",
        b'[{"text": "a"},\n{"text": "b"}]\n',
        "a JSON array, not JSON Lines; convert it, for example with `jq -c '.[]'`",
        (),
    ),
    Bad(
        "an object over several lines",
        "a.json",
        b'{\n  "text": "a"\n}\n',
        "JSON over several lines, not JSON Lines; convert it, for example with `jq -c .`",
        (),
    ),
]
BAD_JSON_LINES = [*BAD_TEXTS, *BAD_IDS, *BAD_KEPT, *NO_OBJECTS, *NO_JSON, *NO_LINES]
