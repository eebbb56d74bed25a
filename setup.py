"""What pyproject.toml cannot say: folders of the checkout that are packages of the distribution.

`flows/` is installed as `symmv_builder.flows` and `schemas/` as `symmv_builder.schemas`, so that
site-packages gets no folder of so common a name. The long description is the README with its
relative links turned into those of the repository, for it is read away from its neighbours.
"""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

REPOSITORY = "https://github.com/symmv-builder/symmv-builder"
MAPPED = {"symmv_builder.flows": "flows", "symmv_builder.schemas": "schemas"}
PICTURES = (".gif", ".jpg", ".png", ".svg", ".webp")
# `](target)` of Markdown and `src="target"` or `href="target"` of HTML, where it is a relative one.
LINK = re.compile(r"""(\]\(|\b(?:src|href)=")(?!\w+:|//|\#)([^)"\s]+)""")


def absolute(text: str) -> str:
    """Markdown whose relative links lead to the repository; pictures to their bytes."""

    def lead(link: re.Match[str]) -> str:
        path = link[2].removeprefix("./")
        kind = "raw" if path.partition("#")[0].endswith(PICTURES) else "blob"
        return f"{link[1]}{REPOSITORY}/{kind}/main/{path}"

    return LINK.sub(lead, text)


setup(
    packages=[*find_namespace_packages(include=["symmv_builder", "symmv_builder.*"]), *MAPPED],
    package_dir=MAPPED,
    long_description=absolute(Path(__file__).with_name("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
