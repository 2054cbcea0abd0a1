"""Numbers as people read them."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """'1 row', '76,594 rows'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def rows_held(rows: int, documents: int) -> str:
    """'10 rows', and where rows are chunks '52 rows of 10 documents'."""
    held = count(rows, "row")
    return held if rows == documents else f"{held} of {count(documents, 'document')}"


def failures_told(units: int, files: int) -> str:
    """'2 units failed, 1 file could not be read on'; nothing where nothing failed."""
    parts = [f"{count(units, 'unit')} failed"] if units else []
    parts += [f"{count(files, 'file')} could not be read on"] if files else []
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """'8 s', '3 min 20 s', '2 h 05 min', '11 d 04 h'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def size(number: float) -> str:
    """'640 B', '1.5 MB', in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} PB"


def rate(number: float) -> str:
    """'0.042', '3.1', '215', '1,203': two digits at least."""
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.2g}"
