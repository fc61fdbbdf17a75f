"""Sending: a mail by SMTP, a payload by HTTP POST; each is tried a few times, and for seconds only."""

import smtplib
import ssl
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from lakeward.workspace.errors import ConfigurationError, LakewardError
from lakeward.workspace.secrets import secret
from lakeward.workspace.settings import settings

TIMEOUT_S = 5.0
PAUSES_S = (0.5, 2.0)


class NotSent(LakewardError):
    """A notice could not be delivered."""


class _Passing(Exception):
    """A failure that another try may not meet."""


def mail(recipients: Sequence[str], subject: str, text: str) -> None:
    """Send a mail through the server of the settings.

    Raises
    ------
    NotSent
        If the server can't be reached or refuses it, or a recipient.
    ConfigurationError
        If there is no server in the settings, or no sender, or no password.
    """
    known = settings()
    sender = known.smtp_from or known.smtp_user
    if not known.smtp_host or not sender:
        missing = "smtp_from" if known.smtp_host else "smtp_host"
        raise ConfigurationError(f"no mail can be sent: set LAKEWARD_{missing.upper()}, or {missing} in lakeward.toml")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no robot answers it
    message.set_content(text)
    _persistently(lambda: _deliver(message))


def _deliver(message: EmailMessage) -> None:
    known = settings()
    server = f"{known.smtp_host}:{known.smtp_port}"
    try:
        with smtplib.SMTP(known.smtp_host or "", known.smtp_port, timeout=TIMEOUT_S) as smtp:
            if known.smtp_starttls:
                smtp.starttls(context=ssl.create_default_context())
            if known.smtp_user:
                smtp.login(known.smtp_user, secret("smtp_password"))
            refused = smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    except smtplib.SMTPAuthenticationError:
        told = f"the mail server {server} refused the login of {known.smtp_user}: check the secret smtp_password"
        raise NotSent(told) from None
    except smtplib.SMTPResponseException as error:
        told = f"the mail server {server} answered {error.smtp_code}"
        raise (_Passing if 400 <= error.smtp_code < 500 else NotSent)(told) from None
    except ssl.SSLError as error:
        raise NotSent(f"the mail server {server} could not be trusted: {error.reason}") from None
    except smtplib.SMTPNotSupportedError as error:
        raise NotSent(f"the mail server {server} can't do what the settings ask for: {error}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise _Passing(f"the mail server {server} can't be reached ({type(error).__name__})") from None
    if refused:
        raise NotSent(f"the mail server {server} refused {', '.join(refused)}")


def post(destination: str, payload: dict[str, Any]) -> None:
    """Post JSON to the address that the settings have for a destination.

    Raises
    ------
    NotSent
        If it can't be reached or does not answer with success.
    ConfigurationError
        If the settings have no address for it.
    """
    address = settings().webhooks.get(destination)
    if address is None:
        raise ConfigurationError(
            f"the destination {destination} has no address: set it in lakeward.toml under [webhooks], "
            f'"{destination}" = "https://..."'
        )
    _persistently(lambda: _post(destination, str(address), payload))


def _post(destination: str, address: str, payload: dict[str, Any]) -> None:
    import httpx

    # The address itself stays out of what is told: it often holds a token.
    try:
        status = httpx.post(address, json=payload, timeout=TIMEOUT_S).status_code
    except httpx.HTTPError as error:
        raise _Passing(f"the destination {destination} can't be reached ({type(error).__name__})") from None
    told = f"the destination {destination} answered {status}"
    if status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status):
        raise _Passing(told)
    if not httpx.codes.is_success(status):
        raise NotSent(told)


def _persistently(send: Callable[[], None]) -> None:
    for pause in PAUSES_S:
        try:
            return send()
        except _Passing:
            time.sleep(pause)
    try:
        return send()
    except _Passing as error:
        raise NotSent(f"{error}, {len(PAUSES_S) + 1} times") from None
