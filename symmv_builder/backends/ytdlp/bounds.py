"""Which hosts a session may speak to, checked where connections are made and redirects followed.

What a site links to is a stranger's word: it must not lead into the network that the crawl runs
in. An address is checked when it is connected to, so that a name which resolves to another
address the second time gains nothing.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from symmv_builder.errors import Reason, RejectEntry, RetryLater

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Bounds:
    """`only` is the one host and port that may be spoken to, `None` for every public address.

    `same_host`: a redirect stays on its host. `by_proxy`: addresses are the proxy's business.
    """

    only: tuple[str, int] | None = None
    same_host: bool = False
    by_proxy: bool = False

    def check_connection(self, host: str, port: int, address: str) -> None:
        """Raise `RetryLater` where connecting to a host at that address is not allowed."""
        if self.only is not None:
            allowed = (host, port) == self.only
        else:
            allowed = self.by_proxy or is_public(address)
        if not allowed:
            # A network that wants a login first answers for every name: it is no site's fault.
            raise RetryLater(f"{host} leads to {address}, which is not asked")

    def check_redirect(self, before: str, after: str) -> None:
        """Raise `RejectEntry` SOURCE_GONE where a redirect to another host is not allowed."""
        if not self.same_host:
            return
        old, new = urlsplit(before), urlsplit(after)
        if new.netloc.lower() != old.netloc.lower() or new.scheme not in (old.scheme, "https"):
            raise RejectEntry(
                Reason.SOURCE_GONE, f"{old.netloc} leads to another host, {new.netloc or after}"
            )


def is_public(address: str) -> bool:
    """Check whether an IP address is public: not private, loopback, link-local, ..."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def install(ydl: Any, bounds: Bounds) -> None:
    """Restrict a yt-dlp session to the connections that its bounds allow."""
    if bounds.by_proxy and not bounds.same_host:
        return
    from yt_dlp.networking import _urllib
    from yt_dlp.networking._helper import _socket_connect, create_connection
    from yt_dlp.networking.exceptions import RequestError

    def connect(target: tuple[str, int], timeout: float, source_address: Any = None) -> Any:
        def checked(address: Any, *arguments: Any) -> Any:
            try:
                bounds.check_connection(*target, address[4][0])
            except RetryLater as error:
                raise RequestError(cause=error) from error
            return _socket_connect(address, *arguments)

        return create_connection(target, timeout, source_address, _create_socket_func=checked)

    class Connections(_urllib.HTTPHandler):  # type: ignore[misc]
        handler_order = _urllib.HTTPHandler.handler_order - 1

        def do_open(self, make: Any, request: Any, **named: Any) -> Any:
            def bounded(*arguments: Any, **more: Any) -> Any:
                connection = make(*arguments, **more)
                # A connection through SOCKS is made elsewhere.
                if connection._create_connection is create_connection:
                    connection._create_connection = connect
                return connection

            return super().do_open(bounded, request, **named)

    class Redirects(_urllib.RedirectHandler):  # type: ignore[misc]
        handler_order = _urllib.RedirectHandler.handler_order - 1

        def redirect_request(
            self, request: Any, body: Any, code: int, text: str, headers: Any, address: str
        ) -> Any:
            try:
                bounds.check_redirect(request.full_url, address)
            except RejectEntry as error:
                raise RequestError(cause=error) from error
            return super().redirect_request(request, body, code, text, headers, address)

    class UrllibRH(_urllib.UrllibRH):  # type: ignore[misc]
        def _create_instance(self, **named: Any) -> Any:
            opener = super()._create_instance(**named)
            context = self._make_sslcontext(legacy_ssl_support=named.get("legacy_ssl_support"))
            opener.add_handler(Connections(context=context, source_address=self.source_address))
            opener.add_handler(Redirects())
            return opener

    ydl.__dict__["_request_director"] = ydl.build_request_director([UrllibRH])
