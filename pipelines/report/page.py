"""The report as one HTML file that needs nothing else: no script, no network, no font of its own."""

from collections.abc import Iterable

from pipelines.report.chart import Chart, chart_html
from pipelines.report.distributions import charts_of_distributions
from pipelines.report.next_steps import next_steps_html
from pipelines.report.over_time import charts_over_time
from pipelines.report.run_report import RunReport
from pipelines.report.safe_text import escaped
from pipelines.report.style import STYLE
from pipelines.report.summary import figures_html, head_html
from pipelines.report.tables import encoders_html, failures_html, rejects_html, slowest_html

# Even if something of a stranger's became markup, a browser would run and load nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_html(report: RunReport) -> str:
    """The whole file, to be written as UTF-8."""
    sections = [
        head_html(report),
        figures_html(report),
        failures_html(report),
        _charts_html("Over time", charts_over_time(report)),
        _charts_html("Rows and vectors", charts_of_distributions(report)),
        rejects_html(report),
        slowest_html(report),
        encoders_html(report),
        next_steps_html(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escaped(report.output)}: encorpus run</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(filter(None, sections))}\n</main></body></html>\n"
    )


def _charts_html(title: str, charts: Iterable[Chart]) -> str:
    drawn = "\n".join(map(chart_html, charts))
    return f'<section><h2>{title}</h2><div class="charts">{drawn}</div></section>' if drawn else ""
