"""Freely made media: pieces performed by rule and videos drawn with known truth."""
