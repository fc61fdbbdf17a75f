"""Taking patient data out of what a notebook shows, before it is kept: by what was read, and by how it looks.

Two nets, since neither is enough alone. Values that pydicom decoded in this process are known, and taken out wherever
they turn up. What looks like a person's name in DICOM's form, a UID of a foreign root, a DICOM date, an element of a
dump, an address, a number of a person, or a path into other folders is taken out wherever it came from; a path with
spaces whole if it is quoted, else to the last word that has a slash. What a person typed into prose (a name with no
caret, read from elsewhere) is found by neither.
"""

import io
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, TextIO

from lakeward.workspace.errors import LakewardError

WITHHELD = "[withheld]"
NO_TEXT = "its text is withheld, since it may quote patient data"

# VRs whose values name or describe a person, place, thing or time (PS3.5, 6.2); codes (CS) and numbers are left alone.
_TELLING = {"DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"}
_SHORTEST = 3
_LONGEST_LINE = 16 * 1024
_LINE_END = re.compile(r"(?<=[\n\r])")
_LONG = 8
_OWN_UIDS = r"(?!2\.25\.|1\.2\.840\.10008\.)"  # derived from a UUID, as ours are (PS3.5, B.2); the Standard's own

# Letters on both sides, so that x^2 is none; a name's further words, after a space, are found if they were read here.
_NAME = re.compile(r"(?<![\w^$\\])[^\W\d_][\w'\u2019.\-]+\^[\w'\u2019.\-^]*")
_DAY = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_STORE = r"\b(?:s3[an]?|gs|abfss?|wasbs?|hdfs|dbfs)://[^\s/'\"<>]+/"
_LOOKS = [
    # An object in a store; a quoted one to the closing quote, since names have spaces. Its account is no address.
    (re.compile(rf"(?<=(['\"])){_STORE}[^'\"<>\n]+(?=\1)|{_STORE}[^\s'\"<>,;()]+"), WITHHELD),
    # "(0010,0010) Patient's Name   PN: 'A^B'", as pydicom prints an element
    (re.compile(r"(\([0-9a-fA-F]{4},\s?[0-9a-fA-F]{4}\)[^\n]*?\b[A-Z]{2}: )[^\n<]+"), rf"\1{WITHHELD}"),
    # "(0010,0010) PN [A^B]   # 4, 1 PatientName", as dcmdump does
    (re.compile(r"(\([0-9a-fA-F]{4},[0-9a-fA-F]{4}\) [A-Z]{2} )\[[^\]\n]*\]"), rf"\1{WITHHELD}"),
    (re.compile(rf"(?<![\w.]){_OWN_UIDS}[0-2](?:\.(?:0|[1-9]\d*)){{5,}}(?![\w])"), WITHHELD),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), WITHHELD),
    (re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), WITHHELD),
    (re.compile(r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-])"), WITHHELD),
    # DA and DT (PS3.5, 6.2); a count of images seldom looks like a day
    (re.compile(rf"(?<![\w.,-]){_DAY}(?:\d{{4,6}}(?:\.\d{{1,6}})?)?(?![\w,-])"), WITHHELD),
]
_QUOTED_PATH = re.compile(r"(?<=(['\"]))((?!https?:)\w+:(?://)?|)(/[^/'\"<>\n]+/[^'\"<>\n]*)(?=\1)")
# After a colon too, as in "file:/a/b" and "file:///a/b", but not in a web address. What follows after a space, and has
# a slash, may belong to it.
_PATH = re.compile(
    r"((?:(?<![\w./<])(?!//)|(?<=file://))/(?:[^\s/'\"<>:,;()]+/)+[^\s'\"<>:,;()]*)"
    r"((?:,? [^\s/'\"<>:,;]+/[^\s'\"<>:,;]*)*)"
)
# What is code or a picture: names with carets, dates and paths are not looked for in there.
_OPAQUE = re.compile(
    r"(<script\b.*?</script>|<style\b.*?</style>|data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+)", re.S | re.I
)


class Seen:
    """The values that this process decoded from DICOM data sets, so that none of them is kept."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Remember a value, and the parts of a name; what is too short to be told from a word is left out."""
        parts = [value, *re.split(r"[\^=]", value)] if "^" in value or "=" in value else [value]
        with self._lock:
            self._values.update(part for it in parts if len(part := it.strip()) >= _SHORTEST)

    def taken_out(self, text: str) -> str:
        """Return the text with every such value replaced; short ones only where they stand alone."""
        with self._lock:
            # Most are in no text, and looking for one is far quicker than for any of thousands at once.
            found = sorted((value for value in self._values if value in text), key=len, reverse=True)
        if not found:
            return text
        return re.sub("|".join(map(_standing_alone, found)), WITHHELD, text)


def _standing_alone(value: str) -> str:
    return re.escape(value) if len(value) >= _LONG else rf"(?<!\w){re.escape(value)}(?!\w)"


seen = Seen()


def scrubbed(text: str) -> str:
    """Return a text with what is, or looks like, patient data taken out."""
    pieces = _OPAQUE.split(seen.taken_out(text))
    # Every second piece is one that the pattern caught.
    return "".join(piece if number % 2 else _plain(piece) for number, piece in enumerate(pieces))


def scrubbed_output(data: Any) -> Any:
    """Return an output (text, or structures of it; pictures as they are) with patient data taken out."""
    match data:
        case str():
            return scrubbed(data)
        case Mapping():
            kept = {key: value if _is_picture(str(key)) else scrubbed_output(value) for key, value in data.items()}
            return {scrubbed(key) if isinstance(key, str) else key: value for key, value in kept.items()}
        case list() | tuple():
            return [scrubbed_output(item) for item in data]
        case _:
            return data


def told(error: BaseException) -> str:
    """Return what may be told of an error: all of ours, which holds no patient data; of others that they came."""
    return str(error) if isinstance(error, LakewardError) else NO_TEXT


def places(error: BaseException, last: int = 8) -> list[str]:
    """Return where an error came from, outermost first: file, line, function and code, but no values."""
    frames = traceback.extract_tb(error.__traceback__)[-last:]
    return [
        f"{'/'.join(Path(f.filename).parts[-3:])}:{f.lineno} in {f.name}\n    {scrubbed(f.line or '')}" for f in frames
    ]


class Lines:
    """Takes patient data out of a text that comes in pieces: line by line, since no pattern goes beyond one."""

    def __init__(self) -> None:
        self._line = ""
        self._too_long = False

    def add(self, piece: str) -> str:
        """Take a piece of the text, and return what of the text can be told now: the lines that end in it."""
        *whole, self._line = _LINE_END.split(self._line + piece)
        told = "".join(map(self._told, whole))
        if len(self._line) > _LONGEST_LINE:
            # Something cut in half is not known again: the last word is left out, and so is the rest of the line.
            told += self._told(self._line[:_LONGEST_LINE].rpartition(" ")[0]) + ("" if self._too_long else WITHHELD)
            self._line, self._too_long = "", True
        return told

    def end(self) -> str:
        """Return the rest, which no line's end follows."""
        line, self._line = self._line, ""
        return self._told(line)

    def _told(self, line: str) -> str:
        if self._too_long:
            ended = line.endswith(("\n", "\r"))
            self._too_long = not ended
            return line[-1] if ended else ""
        return scrubbed(line)


class ScrubbedStream(io.TextIOBase):
    """A stream for people, which passes lines on with patient data taken out."""

    def __init__(self, under: TextIO) -> None:
        self._under = under
        self._lines = Lines()
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Write a text; what no line's end follows yet waits for it."""
        with self._lock:
            self._under.write(self._lines.add(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what has been written to the stream below."""
        self._under.flush()

    def end(self) -> None:
        """Write what no line's end follows."""
        with self._lock:
            self._under.write(self._lines.end())
        self.flush()

    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    @property
    def buffer(self) -> BinaryIO:
        """The bytes below; what is written there is scrubbed by whoever reads them, by its looks alone."""
        return self._under.buffer

    def fileno(self) -> int:
        """Return the file below; as for `buffer`."""
        return self._under.fileno()


def watch_pydicom() -> None:
    """Remember, from now on, what pydicom decodes in this process; does not import it."""
    if "pydicom.hooks" in sys.modules:
        _hook(sys.modules["pydicom.hooks"])
    else:
        sys.meta_path.insert(0, _OnImport("pydicom.hooks", _hook))


def _hook(hooks: ModuleType) -> None:
    decode: Callable[..., None] = hooks.hooks.raw_element_value

    def decode_and_note(raw: Any, data: dict[str, Any], **context: Any) -> None:
        decode(raw, data, **context)
        if data.get("VR") in _TELLING:
            for text in _texts(data.get("value")):
                seen.add(text)

    hooks.hooks.register_callback("raw_element_value", decode_and_note)


def _texts(value: Any) -> Iterator[str]:
    """Each of the values of an element as text; standard UIDs tell of nobody."""
    many = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    yield from (text for item in many if item and not (text := str(item)).startswith("1.2.840.10008."))


class _OnImport(MetaPathFinder, Loader):
    """Does something to a module when it is imported, once."""

    def __init__(self, name: str, act: Callable[[ModuleType], None]) -> None:
        self._name, self._act = name, act
        self._loader: Any = None

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the module as if this were not here, but load it through this."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Make the module as its own loader does."""
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then act on it."""
        self._loader.exec_module(module)
        self._act(module)


def _plain(text: str) -> str:
    for pattern, instead in _LOOKS:
        text = pattern.sub(instead, text)
    text = _NAME.sub(WITHHELD, text)
    text = _QUOTED_PATH.sub(lambda match: match[0] if _harmless(match[3]) else match[2] + WITHHELD, text)
    return _without_paths(text)


def _without_paths(text: str) -> str:
    told, at = [], 0
    while match := _PATH.search(text, at):
        harmless = _harmless(match[1])
        told += [text[at : match.start()], match[1] if harmless else WITHHELD]
        # What follows a harmless path is looked at for itself.
        at = match.end(1) if harmless else match.end()
    return "".join([*told, text[at:]])


def _harmless(path: str) -> bool:
    """Whether a path lies where no file is named after a patient: in programs, this project, the lakehouse."""
    # Not at the start: each kernel imports this module, few need the settings, and they take long to import.
    from lakeward.workspace.settings import settings

    if path.startswith(f"{settings().home}/intake"):
        return False
    return path.startswith((f"{settings().home}/", f"{sys.prefix}/", f"{sys.base_prefix}/", f"{_LIBRARY}/", "/usr/"))


_LIBRARY = Path(__file__).parents[3]


def _is_picture(mime: str) -> bool:
    return mime.startswith("image/") and "svg" not in mime
