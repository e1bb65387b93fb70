"""The gateway's own certificate, for who has no reverse proxy before it."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from sagezoho_pipelines.domain.errors import SagezohoError

log = logging.getLogger(__name__)


class Tls:
    """A certificate with its chain, and its key: two PEM files, read again when they change.

    Certificates are short-lived, and whoever renews them replaces the files. Raises SagezohoError when they cannot be
    used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate, self.key = certificate, key
        problem = self._problem()
        if problem:
            raise SagezohoError(problem)
        self._read = self._changed_at()

    def renew(self, context: ssl.SSLContext) -> bool:
        """Have new connections see what the files hold now; whether that is something new.

        Files that do not fit together, as when one of them is replaced already, leave everything as it was.
        """
        found = self._changed_at()
        if found == self._read or found is None:
            return False
        self._read = found
        problem = self._problem()
        if problem:
            log.warning("the certificate is not renewed: %s", problem)
            return False
        context.load_cert_chain(self.certificate, self.key, password=_no_password)
        log.info("the certificate in %s is renewed", self.certificate)
        return True

    def _problem(self) -> str:
        """What keeps the files from being used. They are tried apart: a context in use must not be left half loaded."""
        for path in (self.certificate, self.key):
            try:
                path.read_bytes()
            except OSError as error:
                return (
                    f"{path} cannot be read ({error.strerror}). Name the certificate with its chain in "
                    "gateway.tls.certificate and its private key in gateway.tls.key, both as PEM files."
                )
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or "no usable PEM"
            return (
                f"{self.certificate} and {self.key} are no certificate and its private key ({reason}). Both must be "
                "PEM files that belong together, the key without a password."
            )
        return ""

    def _changed_at(self) -> tuple[int, int] | None:
        try:
            return self.certificate.stat().st_mtime_ns, self.key.stat().st_mtime_ns
        except OSError:
            return None


def _no_password() -> bytes:
    """Without this, OpenSSL would ask at the terminal for the password of an encrypted key."""
    return b""
