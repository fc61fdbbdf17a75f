"""The fast way through an everyday header: elements are cleaned as bytes, and what was done once is remembered.

In a series most elements are the same in every object. What becomes of an element depends on its bytes, on who the
object is of, and on what it is; so it is looked up by these, and worked out only the first time: the commonest by
`quick`, all others by `Deidentifier` on a data set of that one element.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

from pydicom import config
from pydicom.charset import default_encoding
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag

from lakeward.imaging.deidentification import identity, stamps
from lakeward.imaging.deidentification.actions import PRIVATE
from lakeward.imaging.deidentification.deidentifier import About, Change, Deidentifier, changes_json, show
from lakeward.imaging.deidentification.quick import quick
from lakeward.imaging.memory import Memory
from lakeward.imaging.objects import header
from lakeward.imaging.objects.elements import Element
from lakeward.imaging.objects.implicit import as_implicit
from lakeward.imaging.objects.reading import Limits, contained, read_elements
from lakeward.imaging.reasons import Reason

_CHARSET, _METHODS = 0x00080005, 0x00120064
_ODD = 0x10000
_WHO = frozenset({_CHARSET, 0x00080016, 0x0020000D, *map(int, identity.TELLING)})
_NESTED = frozenset(map(int, identity.SEQUENCES))
ASKED = _WHO | _NESTED
"""Tags of the elements on which those of the whole object depend."""
_STAMPS = frozenset(int(Tag(keyword)) for keyword in stamps.STAMPS)
_tag = attrgetter("tag")
_REMEMBERED = 64 * 1024
"""Longest element, in bytes, that is remembered."""


class Unsure(Exception):
    """The object is no everyday one: look at it in full."""


@dataclass(slots=True)
class Part:
    """One element after it was treated.

    Attributes
    ----------
    tag : int
        Its tag.
    encoded : bytes
        As it is written; empty if it is gone.
    changed : dict
        What was changed in it, by path.
    count : int
        Elements that were read, with nested ones.
    """

    tag: int
    encoded: bytes
    changed: dict[str, Change]
    count: int = 1
    _changes: str | None = None
    _implicit: bytes | None = None
    _json: str | None = None
    _columns: dict[str, Any] | None = None

    @property
    def changes(self) -> str:
        """What was changed in it, as members of a JSON object."""
        if self._changes is None:
            self._changes = changes_json(self.changed)[1:-1]
        return self._changes

    @property
    def implicit(self) -> bytes:
        """As it is written where VRs are left out."""
        if self._implicit is None:
            self._implicit = as_implicit(self.encoded)
        return self._implicit

    def json(self, charset: bytes) -> str:
        """Return it as a member of a DICOM JSON object (PS3.18 F.2.2)."""
        if self._json is None:
            self._json = header.quick_json(self.tag, self.encoded) or header.as_json(self._alone(charset))[1:-1]
        return self._json

    def columns(self, charset: bytes) -> dict[str, Any]:
        """Return the columns of ``imaging.images`` that it fills."""
        if self._columns is None:
            quick = header.quick_columns(self.tag, self.encoded)
            self._columns = header.columns_of(self.tag, self._alone(charset)) if quick is None else quick
        return self._columns

    def _alone(self, charset: bytes) -> Dataset:
        ds, _ = read_elements(self.encoded if self.tag == _CHARSET else charset + self.encoded, Limits())
        if self.tag != _CHARSET:
            ds.pop(_CHARSET, None)
        return ds


@dataclass(slots=True)
class Context:
    """What elements depend on besides their own bytes: the object's patient, kind and character set."""

    about: About
    patient: str
    charset: bytes
    parts: "Memory[Part]" = field(default_factory=lambda: Memory(4096))
    stamps: "Memory[list[Part]]" = field(default_factory=lambda: Memory(16))


class Bytewise:
    """Treat the elements of everyday objects as `Deidentifier` would.

    Parameters
    ----------
    deidentifier : Deidentifier
        The engine that it asks in cases of doubt.
    limits : Limits
        Bounds on one object.
    """

    def __init__(self, deidentifier: Deidentifier, limits: Limits) -> None:
        self._engine = deidentifier
        self._limits = limits
        self._contexts: Memory[Context] = Memory(64)
        self._words: Memory[frozenset[str]] = Memory(1024)

    def context(self, data: bytes, elements: list[Element]) -> Context:
        """Return what holds for all elements of an object.

        Raises
        ------
        Unsure
            If nothing says who it is of.
        """
        who = b"".join([data[start:end] for tag, _, start, _, end in elements if tag in _WHO])
        nested = [data[start:end] for tag, _, start, _, end in elements if tag in _NESTED]
        charset = next((data[start:end] for tag, _, start, _, end in elements if tag == _CHARSET), b"")
        words = frozenset().union(*(self._nested_words(charset, raw) for raw in nested))
        return self._contexts.get((who, words)) or self._contexts.put((who, words), self._new(who, charset, words))

    def _nested_words(self, charset: bytes, raw: bytes) -> frozenset[str]:
        found = self._words.get(charset + raw)
        if found is None:
            found = identity.words(self._read(charset + raw)[0])
            if len(raw) <= _REMEMBERED:
                self._words.put(charset + raw, found)
        return found

    def _new(self, who: bytes, charset: bytes, words: frozenset[str]) -> Context:
        ds, _ = self._read(who)
        if not any(ds.get(keyword) for keyword in ("PatientID", "PatientName", "StudyInstanceUID")):
            raise Unsure
        about = self._engine.about(ds, identity.words(ds) | words)
        return Context(about, self._engine.pseudonyms.patient(about.identity), charset)

    def parts(self, data: bytes, elements: list[Element], context: Context) -> list[Part]:
        """Treat elements.

        Parameters
        ----------
        data : bytes
            The file.
        elements : list of Element
            Those of its data set but the pixel data, in ascending order.
        context : Context
            From `context`.

        Returns
        -------
        list of Part
            In ascending order, with the stamps of the profile.
        """
        known, methods = context.parts, b""
        parts: list[Part] = []
        private: list[Element] = []
        for element in elements:
            tag, vr, start, value, end = element
            if tag & _ODD:
                private.append(element)
                continue
            raw = data[start:end]
            part = known.get(raw) or self._treated(tag, vr, raw, value - start, context)
            if tag in _STAMPS:
                methods = part.encoded if tag == _METHODS else methods
                part = Part(tag, b"", part.changed, part.count)
            parts.append(part)
        parts += self._private(private, data, context)
        parts += self._stamps(methods, context)
        parts.sort(key=_tag)
        return parts

    def _treated(
        self, tag: int, vr: str, raw: bytes, value: int, context: Context, creator: tuple[str, bytes] = ("", b"")
    ) -> Part:
        """Work out what becomes of an element; `value` is where its value starts in `raw`."""
        if vr == "UI" and not raw[value:].isascii():
            raise Unsure
        name, naming = creator
        plan = self._engine.rules.plan(tag, vr, name or None)
        outcome = quick(tag, vr, raw, raw[value:], plan, context.about, self._engine.pseudonyms)
        if outcome:
            new, change = outcome
            part = Part(tag, new, {show(tag): change} if change else {})
        else:
            part = self._asked(tag, raw, context, naming)
        if (tag == _CHARSET and part.encoded != raw) or (part.encoded and not tag & 0xFFFF):
            raise Unsure  # other texts are in another character set now; or a rule keeps a group's length
        return context.parts.put(naming + raw, part) if len(raw) <= _REMEMBERED else part

    def _asked(self, tag: int, raw: bytes, context: Context, naming: bytes) -> Part:
        """Let the engine treat a data set of the one element, and of those that it can't be read without."""
        ds, count = self._read((context.charset if tag != _CHARSET else b"") + naming + raw)
        about = replace(context.about, changes={})
        with contained(Reason.UNFORESEEN):
            self._engine.treat(ds, about)
        changes = {path: change for path, change in about.changes.items() if path.startswith(show(tag))}
        return Part(tag, self._encoded(ds, tag), changes, count)

    def _encoded(self, ds: Dataset, tag: int) -> bytes:
        if tag not in ds:
            return b""
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        with contained(Reason.NOT_WRITABLE), config.disable_value_validation():
            write_data_element(buffer, ds.get_item(tag), ds.get("SpecificCharacterSet", default_encoding))
        return buffer.getvalue()

    def _private(self, elements: list[Element], data: bytes, context: Context) -> list[Part]:
        """Treat private elements: those stay whose creators a rule or the list of the safe ones knows."""
        creators: dict[int, tuple[str, bytes]] = {}
        unused: dict[int, bytes] = {}
        parts: list[Part] = []
        for tag, vr, start, value, end in elements:
            raw = data[start:end]
            if 0x10 <= tag & 0xFFFF <= 0xFF:
                creators[tag] = self._name(raw[value - start :]), raw
                unused[tag] = raw
                continue
            block = tag & 0xFFFF0000 | tag >> 8 & 0xFF
            creator = creators.get(block, ("", b""))
            part = context.parts.get(creator[1] + raw)
            if part is None:
                treat = self._treated if creator[0] else self._removed
                part = treat(tag, vr, raw, value - start, context, creator)
            parts.append(part)
            if part.encoded and block in unused:
                naming = unused.pop(block)
                parts.append(context.parts.get(naming) or context.parts.put(naming, Part(block, naming, {})))
        return parts + [_unused(tag) for tag in unused]

    def _name(self, value: bytes) -> str:
        """Name of a private creator, if its elements may stay."""
        name = value.decode("ascii", "replace").strip("\0 ")
        return name if name in self._engine.rules.creators else ""

    def _removed(self, tag: int, vr: str, raw: bytes, value: int, context: Context, creator: tuple[str, bytes]) -> Part:
        """Remove a private element, which must be well formed all the same."""
        count = self._read(creator[1] + raw)[1] if vr in ("SQ", "UN") else 1
        part = Part(tag, b"", _removed(tag), count)
        return context.parts.put(creator[1] + raw, part) if len(raw) <= _REMEMBERED else part

    def _stamps(self, methods: bytes, context: Context) -> list[Part]:
        """Return the stamps of the profile; `methods` are the cleaned codes of an earlier de-identification."""
        found = context.stamps.get(methods)
        if found is None:
            ds, _ = self._read(context.charset + methods)
            stamps.stamp(ds, self._engine.profile)
            found = context.stamps.put(methods, [Part(tag, self._encoded(ds, tag), {}) for tag in sorted(_STAMPS)])
        return found

    def _read(self, data: bytes) -> tuple[Dataset, int]:
        return read_elements(data, self._limits)


@lru_cache(maxsize=1024)
def _unused(creator: int) -> Part:
    return Part(creator, b"", _removed(creator))


def _removed(tag: int) -> dict[str, Change]:
    return {show(tag): ("X", PRIVATE.why)}
