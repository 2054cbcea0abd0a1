"""Bad records in CSV and bad lines in plain text, and files that are neither."""

from pipelines.corpus.plan import Columns
from tests.pipelines.bad_input.bad_file import GOOD, Bad
from tests.pipelines.output.fake_job import TEXT

KEYED = Columns("text", "key")


def bad_record(fault: str, record: bytes, reason: str, columns: Columns = TEXT, good: tuple = GOOD) -> Bad:
    """The record between two good ones."""
    content = b"key,text\n0,good\n" + record + b"\n2,good too\n"
    return Bad(fault, "a.csv", content, reason, good, columns)


BAD_CSV = [
    bad_record("a field too few", b"1", "fewer fields than the header"),
    bad_record("a field too many", b"1,a,b", "more fields than the header"),
    bad_record("an empty id", b",a", "id is null", KEYED),
    bad_record("invalid UTF-8", b"1,\xff", "invalid UTF-8"),
    bad_record("invalid UTF-8 in quotes", b'1,"\xff\nmore"', "invalid UTF-8"),
    bad_record("text after a quote", b'1,"a"b', "invalid CSV: ',' expected after '\"'"),
    bad_record("a carriage return outside quotes", b"1,a\rb", "invalid CSV: a carriage return outside quotes"),
    bad_record("a quote left open", b'1,"a', "invalid CSV: a quote is never closed", good=("good",)),
    Bad("a tab too many", "a.tsv", b"key\ttext\n0\tgood\n1\ta\tb\n", "more fields than the header", ("good",)),
    Bad("no text column", "a.csv", b"key,body\n1,a\n", "no column 'text'; there are: key, body", ()),
    Bad("other separators", "a.csv", b"key;text\n1;a\n", "no column 'text'; there are: key;text", ()),
    Bad("two text columns", "a.csv", b"text,text\na,b\n", "column 'text' is there more than once", ()),
    Bad("invalid UTF-8 in the header", "a.csv", b"te\xffxt\na\n", "no header: invalid UTF-8", ()),
    Bad(
        "a quote left open in the header", "a.csv", b'"text\na\n', "no header: invalid CSV: a quote is never closed", ()
    ),
    Bad(
        "text after a quote in the header",
        "a.csv",
        b'"text"x\na\n',
        "no header: invalid CSV: ',' expected after '\"'",
        (),
    ),
    Bad(
        "lines that end with carriage returns",
        "a.csv",
        b"key,text\r1,a\r",
        "no header: invalid CSV: a carriage return outside quotes",
        (),
    ),
]
BAD_TEXT = [
    Bad("invalid UTF-8", "a.txt", b"good\n\xff\ngood too\n", "invalid UTF-8"),
    Bad("a surrogate as UTF-8", "a.txt", b"good\n\xed\xa0\x80\ngood too\n", "invalid UTF-8"),
    Bad("Latin-1", "a.txt", "good\ncafé\ngood too\n".encode("latin-1"), "invalid UTF-8"),
]
