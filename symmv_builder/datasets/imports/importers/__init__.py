"""The importers: one module each, called as its dataset with `_` for `-`, and found by that.

A module has `RECIPE`, what is made; `MEDIA`, the recordings that the files lack; and `scan`, which
says which songs a folder holds. It may have `OPTIONS`, choices of whoever imports, which `scan`
takes; `with_options(options)`, the recipe for a copy of which those are known; `LICENCE`, where
those who published the dataset state one; and steps of its own, whose names begin with the
module's and a `_`.
"""
