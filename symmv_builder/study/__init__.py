"""Listening studies: what raters are asked, the site that asks them, and what their answers say.

A study is a folder: `site/` is all that raters may see, `key.json` says what is behind its names,
`answers/` is what the answer store keeps.
"""
