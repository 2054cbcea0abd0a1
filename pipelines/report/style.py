"""The report's style sheet: for light and dark, wide and narrow, screen and paper."""

STYLE = """
:root {
  --page: #ffffff; --card: #f6f7f9; --ink: #1b1f24; --muted: #57606a; --grid: #dfe3e8; --edge: #d0d7de;
  --blue: #1859b8; --orange: #a84300; --green: #116329; --amber: #8a5a00; --red: #b42318;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #101418; --card: #191f25; --ink: #e6e9ec; --muted: #9ba7b3; --grid: #2c343c; --edge: #36404a;
    --blue: #79b0ff; --orange: #f0a35e; --green: #5cc773; --amber: #e2b341; --red: #ff8078;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 36px 0 12px; }
h3 { font-size: 1rem; margin: 20px 0 6px; overflow-wrap: anywhere; }
p { margin: 0 0 10px; }
.more { margin-top: 8px; }
.kind { color: var(--muted); margin: 0; }
.state { display: inline-block; font-weight: 600; border: 1px solid; border-radius: 6px; padding: 2px 10px; }
.state::before {
  content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%; background: currentColor;
  margin-right: .5em;
}
.state.good { color: var(--green); } .state.warn { color: var(--amber); } .state.bad { color: var(--red); }
.message { border-left: 3px solid var(--red); padding: 4px 12px; overflow-wrap: anywhere; }
.path, code { font: .87em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
.path { overflow-wrap: anywhere; }
dl, dd { margin: 0; }
dt { color: var(--muted); }
.facts-list { margin-top: 8px; }
.facts-list div { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); }
.facts-list dd { overflow-wrap: anywhere; }
.figures { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); margin-top: 12px; }
.figures > div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 8px 12px; }
.figures dt { font-size: .87rem; }
.figures dd { font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.figures small { display: block; color: var(--muted); font-size: .78rem; font-weight: 400; line-height: 1.35; }
.health { margin-top: 20px; }
.health dd { font-size: 1.35rem; }
.figures .good dd { color: var(--green); }
.figures .warn, .figures .bad { border-left-width: 4px; }
.figures .warn { border-left-color: var(--amber); } .figures .warn dd { color: var(--amber); }
.figures .bad { border-left-color: var(--red); } .figures .bad dd { color: var(--red); }
.charts { display: grid; gap: 24px 28px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.chart { margin: 0; min-width: 0; }
figcaption { font-size: .87rem; margin-bottom: 10px; }
.facts { color: var(--muted); margin: 0 10px 0 4px; }
.key { white-space: nowrap; margin-right: 12px; }
.key::before {
  content: ""; display: inline-block; width: 14px; height: 0; border-top: 3px solid var(--mark); margin-right: 5px;
  vertical-align: .25em;
}
.frame { display: grid; grid-template-columns: 3.6rem minmax(0, 1fr); padding: 0 1.1rem 0 0; }
.frame svg { width: 100%; height: 150px; display: block; overflow: visible; }
.y, .x { position: relative; color: var(--muted); font-size: .75rem; font-variant-numeric: tabular-nums; }
.y span { position: absolute; right: 7px; transform: translateY(-50%); line-height: 1; white-space: nowrap; }
.x { grid-column: 2; height: 1.5em; margin-top: 5px; }
.x span { position: absolute; transform: translateX(-50%); line-height: 1.3; white-space: nowrap; }
.x-title { grid-column: 2; color: var(--muted); font-size: .75rem; text-align: center; }
svg path { vector-effect: non-scaling-stroke; fill: none; stroke: none; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
.rows, .tokens, .encoding, .padding, .lengths, .mean { --mark: var(--blue); }
.in-hand, .truncated, .retries { --mark: var(--orange); }
.spread { --mark: var(--muted); }
svg .line { stroke: var(--mark); stroke-width: 1.5; stroke-linejoin: round; }
svg .area { fill: var(--mark); fill-opacity: .14; }
svg .in-hand .area { fill-opacity: 0; } svg .in-hand .line { stroke-dasharray: 5 3; }
svg .spread .area { fill-opacity: .3; }
svg rect { fill: var(--mark); }
.scroll { overflow-x: auto; border: 1px solid var(--edge); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px; border-top: 1px solid var(--edge); }
thead th { border-top: 0; color: var(--muted); font-weight: 500; white-space: nowrap; }
td { min-width: 7rem; overflow: clip; overflow-wrap: anywhere; }
td:last-child { min-width: 16rem; }
.unit { min-width: 11.5rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; min-width: 4rem; }
.failures { list-style: none; margin: 0; padding: 0; border-left: 3px solid var(--red); }
.failures li { padding: 3px 12px; overflow-wrap: anywhere; overflow: clip; }
.failures small { color: var(--muted); }
.steps { padding-left: 1.3rem; } .steps li { margin-bottom: 10px; }
pre {
  margin: 4px 0 0; padding: 8px 12px; background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
@media print {
  html { font-size: 12px; }
  body { font-size: 12px; }
  main { max-width: none; padding: 0 10px; }
  .chart, .figures > div, tr, li { break-inside: avoid; }
  h2, h3, section > p { break-after: avoid; }
  .figures { grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 6px; }
  .figures dd { font-size: 1rem; }
  .figures > div { padding: 6px 8px; }
  .charts { grid-template-columns: 1fr 1fr; }
  .frame svg { height: 110px; }
  .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
