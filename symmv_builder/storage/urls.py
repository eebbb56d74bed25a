"""Urls of ledgers and data roots as they may be printed: without passwords, keys and tokens."""

import re
from urllib.parse import unquote

_MASK = "***"
# In a parameter's name, of a database as of a bucket: sslpassword, access_token, X-Amz-Signature.
_SECRET = ("pass", "pwd", "secret", "token", "key", "sig", "cred", "auth")
_PARAMETER = re.compile(r"([?&;])([^=&;?]+)=([^&]*)")
_USERINFO = re.compile(r"(://[^:@]*:)(.*)@", re.DOTALL)
_PORT = re.compile(r"://[^/:@]*:\d*(/|$)")
_WORD = re.compile(r"\S+://\S+")
_ASSIGNED = re.compile(r"(?i)\b(password|passwd|pwd)(\s*=\s*)('[^']*'|\"[^\"]*\"|[^\s&;]+)")
# Shorter pieces of a password are parts of ordinary words.
_SHORTEST = 3


def shown_url(url: str) -> str:
    """Remove the secrets of a url, for messages; it may hide too much, never too little.

    The password before ``@`` (whatever characters it holds) and the values of parameters
    whose names speak of secrets become ``***``; names may be percent-encoded.
    """
    return _hide(url)[0]


def without_secrets(text: str, url: str) -> str:
    """Remove a url's secrets from a message that another library wrote.

    Libraries quote a url, a part of it, or what they took for its host.
    """
    address, secrets = _hide(url)
    text = text.replace(url, address)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def shown_text(text: str) -> str:
    """Remove the secrets of every url, and of every ``password=...``, from a text."""
    text = _WORD.sub(lambda match: shown_url(match[0]), text)
    return _ASSIGNED.sub(lambda match: f"{match[1]}{match[2]}{_MASK}", text)


def _hide(url: str) -> tuple[str, set[str]]:
    secrets: set[str] = set()

    def parameter(match: re.Match[str]) -> str:
        mark, name, value = match.groups()
        if any(word in unquote(name).lower() for word in _SECRET):
            secrets.update((value, unquote(value)))
            return f"{mark}{name}={_MASK}"
        inner = unquote(value)
        if inner != value and _PARAMETER.sub(parameter, f";{inner}") != f";{inner}":
            return f"{mark}{name}={_MASK}"
        return f"{mark}{name}={_PARAMETER.sub(parameter, value)}"

    def userinfo(match: re.Match[str]) -> str:
        for text in (match[2], unquote(match[2])):
            # Who parses the url may end the password at any of these.
            secrets.update((text, *re.split(r"[@:/?#]", text)))
        return f"{match[1]}{_MASK}@"

    head, mark, query = url.partition("?")
    address = _PARAMETER.sub(parameter, mark + query)
    if "@" not in head and "@" in (address if _PORT.search(head) else query):
        # The password itself holds a question mark.
        end = url.rindex("@") + 1
        head, address = url[:end], _PARAMETER.sub(parameter, url[end:])
    address = _USERINFO.sub(userinfo, head) + address
    return address, {secret for secret in secrets if len(secret) >= _SHORTEST}
