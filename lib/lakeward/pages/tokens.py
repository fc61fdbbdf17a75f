"""The token that opens the pages, and what stands for it elsewhere."""

import hmac
from hashlib import sha256


def derived(token: str, purpose: str) -> str:
    """Return what stands for the token in a cookie or a form; the token can't be found from it."""
    return hmac.new(token.encode(), purpose.encode(), sha256).hexdigest()


def same(given: str, wanted: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), wanted.encode())
