"""The page at `/`: which models are served, how busy both lanes are, and a box to try texts in.

`answer` puts the files together into one document that needs nothing else: `page.html`, the report's style sheet with
`page.css`, and the scripts in the order of their dependence: `server.js` (requests and the API key), `models.js`,
`rates.js` (Prometheus text to rates), `live.js` (the rates, drawn) and `texts.js` (cosines of tried texts).

What the server or a visitor says is set as text, never as markup; the policy that goes along forbids the rest.
"""
