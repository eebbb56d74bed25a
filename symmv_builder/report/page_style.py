"""The frame of the HTML page and its style sheet: no script, no font and no address of others."""

from string import Template

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbfd; --card: #ffffff; --ink: #23262f; --faint: #646a78; --rule: #d9dce3;
  --accent: #2d6a9f; --soft: #e8f0f7; --warn: #8a4b08; --warn-soft: #fdf1e0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171c; --card: #1e2129; --ink: #e7e9ee; --faint: #a3a9b7; --rule: #363b47;
    --accent: #86bbe8; --soft: #26354a; --warn: #f3c27a; --warn-soft: #3a2c18;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
header, main { max-width: 68rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2rem; }
h1, h2, dt, summary { overflow-wrap: anywhere; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.1rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; max-width: 44rem; overflow-wrap: anywhere; }
header p { color: var(--faint); }
article, details {
  background: var(--card); border: 1px solid var(--rule); border-radius: .6rem;
  padding: 1rem; margin: 0 0 1rem;
}
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: .75rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 1.75rem; margin: 0 0 1rem; }
dl > div { min-width: 0; }
dt { color: var(--faint); font-size: .8rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.chords { display: flex; gap: 2px; min-width: 36rem; margin: 0 0 1rem; }
.chords span {
  flex: 1 1 0; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  background: var(--soft); border-radius: .25rem; padding: .2rem .3rem; font-size: .85rem;
}
figure { margin: 0 0 1rem; }
figcaption { color: var(--faint); font-size: .85rem; margin-top: .25rem; overflow-wrap: anywhere; }
img { display: block; width: 100%; min-width: 44rem; border-radius: .4rem; background: #fff; }
video { display: block; width: 100%; max-width: 40rem; border-radius: .4rem; background: #000; }
audio { display: block; width: 100%; max-width: 40rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--rule); min-width: 4.5rem; }
th { color: var(--faint); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { white-space: normal; }
.notices {
  background: var(--warn-soft); color: var(--warn); border-radius: .6rem; margin: 0;
  padding: 1rem 1rem 1rem 2.2rem;
}
.bars { display: block; }
.bars > div { display: grid; grid-template-columns: 12rem 1fr; gap: .75rem; margin: .15rem 0; }
.bars dt { font-size: .9rem; }
.bars dd { display: flex; align-items: center; gap: .5rem; white-space: nowrap;
  font-weight: 400; padding-right: 4rem; }
.bars dd span { height: .8rem; background: var(--accent); border-radius: .2rem; min-width: 2px; }
.next { padding-left: 1.3rem; }
.next p { margin-bottom: .25rem; }
pre { overflow-x: auto; background: var(--soft); border-radius: .4rem; padding: .6rem .75rem;
  margin: 0 0 1rem; }
@media (max-width: 40rem) {
  .bars > div { grid-template-columns: 1fr; gap: 0; }
  .bars { margin-bottom: 0; }
}
footer { max-width: 68rem; margin: 0 auto; padding: 1rem; color: var(--faint); font-size: .85rem; }
"""

# What a report of a dataset and a gallery have beside it.
REPORT_STYLE = """
.cards { columns: 2 20rem; column-gap: 1rem; }
.cards > article { break-inside: avoid; }
@media (max-width: 40rem) { article { padding: .75rem; } .wide table { min-width: 34rem; } }
article > svg { display: block; width: 100%; height: auto; max-width: 36rem; }
svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.about { color: var(--faint); font-size: .85rem; margin-bottom: .5rem; }
.note { color: var(--warn); }
.wide + h3, svg + h3 { margin-top: 1.25rem; }
details.query { border: 0; padding: 0; margin: .5rem 0 0; background: none; font-size: .8rem; }
details.query pre { white-space: pre-wrap; overflow-wrap: anywhere; }
ul { padding-left: 1.3rem; max-width: 44rem; overflow-wrap: anywhere; }
"""

# The policy bars every address but files beside the page and what lies inside it.
LAYOUT = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
img-src data: 'self'; media-src data: 'self'; style-src 'unsafe-inline'; \
base-uri 'none'; form-action 'none'">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header><h1>$title</h1><p>$lead</p></header>
<main>
$body
</main>
<footer>$end</footer>
</body>
</html>
""")
