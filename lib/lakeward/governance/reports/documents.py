"""Documents about a model version: what is known is filled in, what is not is listed as missing, with who gives it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lakeward.governance.approvals.facts import Facts
from lakeward.governance.reports.document import Block, Document, Section, Table, Text
from lakeward.governance.reports.version_facts import FACTS
from lakeward.governance.reports.writing import write
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event, record

MISSING = "missing"
WRITTEN = "governance.report.written"


class Kind(StrEnum):
    """Documents that there are; each has a file beside this module."""

    MODEL_CARD = "model_card"
    ANNEX_IV = "annex_iv"
    PCCP = "pccp"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(_Data):
    """Something that a document must say: facts, a text that people write, or both; `who` gives it."""

    id: str
    title: str
    who: str
    facts: tuple[str, ...] = ()
    ask: str = ""
    optional: bool = False


class Part(_Data):
    """Items under a common heading."""

    title: str
    items: tuple[Item, ...]


class Template(_Data):
    """What a document asks for, and where that comes from."""

    title: str
    source: str
    parts: tuple[Part, ...]

    @property
    def items(self) -> list[Item]:
        """All items, in their order."""
        return [item for part in self.parts for item in part.items]


class Gap(NamedTuple):
    """Something mandatory that is not there."""

    item: Item
    what: str


class Written(NamedTuple):
    """A document, and what it lacks."""

    document: Document
    missing: list[Gap]


def template(kind: Kind) -> Template:
    """Return what a document asks for."""
    file = files("lakeward.governance.reports") / "documents" / f"{kind}.yml"
    return Template.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def questions(kind: Kind) -> str:
    """Return a YAML file with the questions that people answer, for them to fill in."""
    lines = [f"# {template(kind).title}: write each answer after its name, or below after |. An empty one is missing."]
    for item in template(kind).items:
        if item.ask:
            lines += ["", f"# {item.title}. {item.ask}", f"# From: {item.who}", f'{item.id}: ""']
    return "\n".join(lines) + "\n"


def answers(file: Path) -> dict[str, str]:
    """Read the answers; one file may answer several documents.

    Raises
    ------
    ConfigurationError
        If it is not YAML of names and texts, or answers what no document asks.
    """
    try:
        told = TypeAdapter(dict[str, str | None]).validate_python(
            yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        )
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError):
        raise ConfigurationError(f"{file} is not YAML with a name and a text for each answer.") from None
    known = {item.id for kind in Kind for item in template(kind).items if item.ask}
    if unknown := sorted(set(told) - known):
        raise ConfigurationError(f"{file} answers what is not asked: {', '.join(unknown)}.")
    return {name: text.strip() for name, text in told.items() if text and text.strip()}


def written(kind: Kind, facts: Facts, given: Mapping[str, str], now: datetime, by: str) -> Written:
    """Write a document about a version.

    Parameters
    ----------
    given : mapping
        Answers by the ids of the items.
    now : datetime
        When it is written.
    by : str
        Who writes it, as the event tells that it was written.
    """
    asked = template(kind)
    missing = [gap for item in asked.items for gap in _gaps(item, facts, given) if not item.optional]
    sections = [Section("What is missing", [_missing(missing)])]
    for part in asked.parts:
        sections.append(Section(part.title, []))
        sections += [Section(it.title, list(_blocks(it, facts, given)), level=1) for it in part.items]
    count = len(asked.items)
    lacking = len({gap.item.id for gap in missing})
    document = Document(
        title=asked.title,
        subtitle=f"{facts.model}, version {facts.version}{' (draft: not complete)' if missing else ''}",
        made=now,
        about={
            "Model": f"{facts.model}, version {facts.version}",
            "Artefact (SHA-256)": facts.digest,
            "Made": f"{now:%Y-%m-%d %H:%M:%S} UTC, by {by}",
            "Signature": "If there is one, it is beside this file, with .sig after its name.",
            "Follows": asked.source,
        },
        figures={"given": str(count - lacking), MISSING: str(lacking)},
        sections=sections,
        facts=_told(kind, facts, given, missing),
    )
    return Written(document, missing)


def made(kind: Kind, facts: Facts, given: Mapping[str, str], output: Path) -> Written:
    """Write a document into a file, once the trail has by whom, about which artefact, and the file's hash.

    Raises
    ------
    ConfigurationError
        If the file's name asks for no known format, or it can't be written.
    """
    event = Event(type=WRITTEN, object=f"model/{facts.model}/{facts.version}")
    done = written(kind, facts, given, event.at, event.actor)
    aside = output.with_name(f".{uuid4().hex}{output.suffix}")
    try:
        write(done.document, aside)
        told = {"document": kind.value, "artefact": facts.digest, "complete": not done.missing}
        digest = sha256(aside.read_bytes()).hexdigest()
        record(event.model_copy(update={"details": {**told, "sha256": digest}}))
        aside.replace(output)
    finally:
        aside.unlink(missing_ok=True)
    return done


def _gaps(item: Item, facts: Facts, given: Mapping[str, str]) -> Iterator[Gap]:
    if item.ask and item.id not in given:
        yield Gap(item, item.ask)
    for name in item.facts:
        if FACTS[name](facts) is None:
            yield Gap(item, f"Nothing is known of {name.replace('_', ' ')}.")


def _blocks(item: Item, facts: Facts, given: Mapping[str, str]) -> Iterator[Block]:
    if item.id in given:
        yield from (Text(paragraph) for paragraph in given[item.id].split("\n\n"))
    yield from (table for name in item.facts if (table := FACTS[name](facts)))
    if gaps := list(_gaps(item, facts, given)):
        rows = [(MISSING, gap.what, gap.item.who) for gap in gaps]
        yield Table(("State", "What is asked for", "Who gives it"), rows, (13, 57, 30), marked="State")


def _missing(gaps: list[Gap]) -> Table:
    rows = [(MISSING, gap.item.title, gap.what, gap.item.who) for gap in gaps]
    columns = ("State", "Item", "What is asked for", "Who gives it")
    return Table(columns, rows, (11, 25, 42, 22), marked="State", empty="Nothing: all that must be there is.")


def _told(kind: Kind, facts: Facts, given: Mapping[str, str], missing: list[Gap]) -> dict[str, Any]:
    return {
        "document": kind.value,
        "model": facts.model,
        "version": facts.version,
        "artefact": facts.digest,
        "complete": not missing,
        "answers": dict(given),
        "missing": [
            {"id": gap.item.id, "item": gap.item.title, "what": gap.what, "who": gap.item.who} for gap in missing
        ],
    }
