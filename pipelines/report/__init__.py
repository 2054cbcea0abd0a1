"""The report of a run: one HTML file that says whether the run was healthy, and what it cost.

The data's way: `run_report` (a run as plain values), `page` (the file), whose sections are `summary`, `over_time`,
`distributions`, `tables` and `next_steps`. Below them: `chart` (SVG), `axis`, `written` (numbers), `safe_text` (what
strangers wrote) and `style`.

Pure functions from values to text: no files, no Ray, no TensorFlow in here.
"""
