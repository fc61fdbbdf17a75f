import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.notices import finish, notify, sending
from lakeward.jobs.record.rows import Run
from loopback import Hooks, Mailbox, self_signed

TASKS = [{"task_key": "ingest", "notebook_task": {"notebook_path": "a.ipynb"}}]


def mailing(addresses: list[str]) -> Job:
    return Job.model_validate({"name": "a", "tasks": TASKS, "email_notifications": {"on_start": addresses}})


def posting(destination: str) -> Job:
    asked = {"on_start": [{"id": destination}]}
    return Job.model_validate({"name": "a", "tasks": TASKS, "webhook_notifications": asked})


def log(run: Run) -> str:
    return (run.folder / "log.txt").read_text() if (run.folder / "log.txt").exists() else ""


@pytest.mark.parametrize(("codes", "tries", "told"), [([500, 429], 3, ""), ([503] * 3, 3, "503"), ([404], 1, "404")])
def test_a_destination_that_stumbles_is_tried_again(
    hooks: Hooks, run: Run, codes: list[int], tries: int, told: str
) -> None:
    hooks.codes = codes
    notify("start", posting("on-call"), run)
    finish()
    assert len(hooks.posted) == tries
    assert (f"A notice was not sent: the destination on-call answered {told}" in log(run)) == bool(told)
    assert "hidden" not in log(run)


def test_a_mail_server_that_stumbles_is_tried_again(mailbox: Mailbox, run: Run) -> None:
    mailbox.broken = ["451 later", "451 later"]
    notify("start", mailing(["a@example.org"]), run)
    finish()
    assert len(mailbox.mails) == 1
    assert log(run) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"smtp_host": "127.0.0.1", "smtp_port": "9"},
            "127.0.0.1:9 can't be reached (ConnectionRefusedError), 3 times",
        ),
        ({"smtp_starttls": "True"}, "STARTTLS"),
        ({"smtp_host": ""}, "set LAKEWARD_SMTP_HOST, or smtp_host in lakeward.toml"),
        ({"smtp_from": ""}, "set LAKEWARD_SMTP_FROM, or smtp_from in lakeward.toml"),
    ],
)
def test_what_can_not_be_sent_is_written_to_the_log_and_told(
    mailbox: Mailbox,
    configure: Callable[..., None],
    run: Run,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    told: str,
) -> None:
    configure(**change)
    notify("start", mailing(["a@example.org"]), run)
    finish()
    assert told in log(run)
    assert told in capsys.readouterr().err


def test_a_refused_recipient_is_told_and_the_others_are_written_to(mailbox: Mailbox, run: Run) -> None:
    notify("start", mailing(["nobody@example.org", "a@example.org"]), run)
    notify("start", mailing(["nobody@example.org"]), run)
    finish()
    assert len(mailbox.mails) == 1
    assert log(run).count("refused nobody@example.org") == 2


def test_an_unknown_destination_is_told_with_its_cure(hooks: Hooks, run: Run) -> None:
    notify("start", posting("pager"), run)
    finish()
    assert "the destination pager has no address: set it in lakeward.toml under [webhooks]" in log(run)


def test_a_run_does_not_wait_for_a_server_that_never_answers(
    configure: Callable[..., None], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 3)
    monkeypatch.setattr(sending, "PAUSES_S", ())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        configure(webhooks=json.dumps({"on-call": address}))
        started = monotonic()
        for _ in range(3):
            notify("start", posting("on-call"), run)
        finish(0.3)
        assert monotonic() - started < 3, "the server's time was not waited for"
        assert log(run).count("A notice was not sent: those before it took too long") == 2
        assert log(run).count("A notice is perhaps not sent: its server has not answered yet") == 1
        finish()
        assert "the destination on-call can't be reached (ReadTimeout), 1 times" in log(run)


def test_a_password_is_sent_encrypted_to_a_server_whose_certificate_is_trusted(
    configure: Callable[..., None], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    mailbox = Mailbox()
    controller = mailbox.serve(
        tls_context=context, authenticator=mailbox.login, auth_required=True, require_starttls=True
    )
    configure(
        smtp_host="localhost",
        smtp_port=controller.port,
        smtp_user="ward@example.org",
        smtp_password="right",
    )
    wished = mailing(["a@example.org"])
    notify("start", wished, run)
    finish()
    assert "could not be trusted" in log(run)
    assert mailbox.logins == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    notify("start", wished, run)
    finish()
    configure(smtp_password="wrong")
    notify("start", wished, run)
    finish()
    controller.stop()
    assert mailbox.logins[0] == (b"ward@example.org", b"right")
    assert [mail["From"] for mail in mailbox.mails] == ["ward@example.org"]
    assert "refused the login of ward@example.org" in log(run)
