"""When a whole connection rests: its sign-in is refused, or Zoho serves it no more for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.pauses import Pause
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.engine.context import Context

#: A refused sign-in mends only when a person acts; asked this often, no account is locked for it.
SIGN_IN_REST = timedelta(hours=1)
#: Zoho's window rolls over 24 hours, so credits come back little by little.
CREDITS_REST = timedelta(minutes=15)
#: Too many calls at once, after all the client's own waiting.
THROTTLE_REST = timedelta(minutes=1)

_SIGN_IN = frozenset(
    {
        "invalid_code", "invalid_client", "invalid_client_secret", "invalid_redirect_uri", "access_denied",
        "invalid_scope", "unauthorized_client", "INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE",
        "Unauthorized",
    }
)  # fmt: skip
_THROTTLE = frozenset({"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED", "TOKEN_THROTTLED"})


def concerns_all(error: VendorError) -> bool:
    """Whether trying the next record is pointless: the connection as a whole is turned away for a while."""
    return error.system is System.ZOHO_CRM and error.code in _THROTTLE


def turned_away(error: Exception) -> bool:
    """Whether the sign-in itself was refused: asking again and again may lock the account."""
    return isinstance(error, VendorError) and error.code in _SIGN_IN


def resting(ctx: Context) -> str | None:
    """Why nothing of this connection is tried now, in words for a run's notes; None when it may go on."""
    active = [rest for rest in ctx.ledger.pauses(ctx.connection) if rest.until > ctx.clock()]
    return " ".join(str(rest) for rest in active) or None


def pause(ctx: Context, error: VendorError) -> Pause | None:
    """Let the connection rest where the error asks for it, and say whether that is news; None where it does not."""
    rest = _rest(ctx, error)
    if rest is None:
        return None
    at = ctx.clock()
    paused = Pause(ctx.connection, error.system, error.code, error.text, error.advice, since=at, until=at + rest)
    return replace(paused, news=not ctx.ledger.pause(paused))


def lift(ctx: Context) -> None:
    """A run went through: what held the connection back is over."""
    for rest in ctx.ledger.pauses(ctx.connection):
        if rest.until <= ctx.clock():
            ctx.ledger.lift(ctx.connection, rest.system)


def _rest(ctx: Context, error: VendorError) -> timedelta | None:
    if turned_away(error):
        return SIGN_IN_REST
    if not concerns_all(error):
        return None
    left = ctx.zoho.usage.credits_remaining
    if left is not None and left <= 0:
        return CREDITS_REST
    return max(THROTTLE_REST, timedelta(seconds=error.retry_after or 0))
