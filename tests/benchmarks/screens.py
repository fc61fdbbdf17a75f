"""Generated screens with text in them, and the truth about where it is: ultrasound, screenshots, films, reports.

Nothing in them is anybody's. Fonts are those of the machine (Debian: fonts-dejavu-core, fonts-liberation,
fonts-urw-base35, fonts-noto-mono, fonts-droid-fallback); two families and two layouts serve for choosing constants,
all others are held out for measuring.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
TUNING_FAMILIES = ("DejaVu", "Liberation")
TUNING_LAYOUTS = ("ultrasound", "capture")
HELD_OUT_FAMILIES = ("Nimbus", "URW", "C059", "P052", "NotoSansMono", "NotoMono")
HELD_OUT_LAYOUTS = ("doppler", "film", "report", "worksheet", "turned")
SIZES = ((480, 640), (600, 800), (768, 1024))

LATIN = """
MUSTERMANN ERIKA Garcia Lopez Jose Smith^John O'Brien Nguyen Kowalska Zofia Muller Hans Andersson Operator: kmb
MRN:4711-0815 ID 90210334 DOB 12.08.1964 1964-08-12 03/14/1975 Acc#A7733190 Dr. Weber St.Mary Hospital Ward 7B
Klinikum Nord 10:22:31 AM 24-Nov-2021 F/057Y Tel 555-0142 Station US-3
""".split()  # noqa: SIM905
CYRILLIC = "Иванов Сергей Петрова Анна Больница №7 Пациент 12.08.1964 Кузнецов отделение".split()  # noqa: SIM905
GREEK = "Παπαδόπουλος Γεώργιος Νοσοκομείο Ασθενής Μαρία Αθήνα".split()  # noqa: SIM905
CJK = "山田太郎 王小明 鈴木一郎 東京病院 患者番号 放射線科 李娜 佐藤花子 生年月日".split()  # noqa: SIM905


@dataclass
class Screen:
    """One frame, what it looks like, and where each identifying word's ink is."""

    layout: str
    picture: Picture
    words: list[tuple[str, float, Mask]] = field(default_factory=list)
    """Text, height of its font in pixels, and its ink."""


def fonts(families: tuple[str, ...]) -> list[Path]:
    """Font files of some families, upright or slanted, in a fixed order."""
    found = {path.name: path for folder in FOLDERS if folder.is_dir() for path in folder.rglob("*.[to]tf")}
    return [path for name, path in sorted(found.items()) if name.startswith(families) and "Math" not in name]


def make(count: int, held_out: bool, seed: int = 1) -> Iterator[Screen]:
    """Yield screens; the same seed gives the same ones on a machine with the same fonts."""
    random = np.random.default_rng([seed, held_out])
    faces = fonts(HELD_OUT_FAMILIES if held_out else TUNING_FAMILIES)
    asian = fonts(("DroidSansFallback",)) if held_out else []
    other = fonts(("NotoSansMono", "NimbusSans-Regular", "NimbusRoman-Regular", "C059-Roman")) if held_out else faces
    layouts = HELD_OUT_LAYOUTS if held_out else TUNING_LAYOUTS
    for index in range(count):
        size = SIZES[random.integers(len(SIZES))]
        script = random.choice(["latin", "latin", "latin", "cyrillic", "greek", "cjk"]) if held_out else "latin"
        choices = {"latin": faces, "cyrillic": other, "greek": other, "cjk": asian or faces}[script]
        vocabulary = {"latin": LATIN, "cyrillic": CYRILLIC, "greek": GREEK, "cjk": CJK if asian else LATIN}[script]
        font = choices[random.integers(len(choices))]
        yield _Painter(random, size, font, vocabulary).paint(layouts[index % len(layouts)])


class _Painter:
    def __init__(self, random: np.random.Generator, size: tuple[int, int], font: Path, vocabulary: list[str]) -> None:
        self.random, self.rows, self.columns, self.font, self.vocabulary = random, *size, font, vocabulary
        self.screen = Screen("", np.zeros((*size, 3), np.uint8))

    def paint(self, layout: str) -> Screen:
        self.screen.layout = layout
        getattr(self, f"_{layout}")()
        return self.screen

    def _ultrasound(self) -> None:
        self._sector(self.columns // 2, 60, self.rows - 90, 0.75)
        self._line(6, 4)
        self._line(6, 28, words=2)
        self._line(self.columns - 230, 4, words=2)
        self._line(8, self.rows - 26, words=3)
        self._line(self.columns // 2 - 60, self.rows // 2, words=2)  # over the speckle

    def _capture(self) -> None:
        self.screen.picture[:] = self.random.integers(150, 245)
        for top in range(20, self.rows - 50, int(self.random.integers(38, 70))):
            self._line(int(self.random.integers(5, 120)), top, words=int(self.random.integers(1, 5)))

    def _doppler(self) -> None:
        self._sector(self.columns // 3, 40, self.rows // 2 - 20, 0.55)
        noise = self.random.gamma(1.4, 25, (self.rows // 3, self.columns - 80)).clip(0, 255).astype(np.uint8)
        self.screen.picture[-noise.shape[0] - 30 : -30, 40:-40] = noise[..., None]
        self._line(self.columns - 220, 60, words=1)
        self._line(self.columns - 220, 90, words=2)
        self._line(20, self.rows - 26, words=4)
        self._line(45, self.rows - 70, words=1)  # over the spectrum

    def _film(self) -> None:
        y, x = np.mgrid[-1 : 1 : self.rows * 1j, -1 : 1 : self.columns * 1j]
        body = 170 * np.exp(-((x / 0.6) ** 4) - (y / 0.8) ** 4) + 30 * np.sin(9 * x) * np.cos(7 * y)
        body += self.random.normal(0, 12, body.shape)
        self.screen.picture[:] = body.clip(0, 255).astype(np.uint8)[..., None]
        for top in (8, 34, 60):
            self._line(10, top, words=2)
            self._line(self.columns - 250, top, words=2)
        self._line(self.columns // 3, self.rows // 2, words=2)  # over the anatomy

    def _report(self) -> None:
        self.screen.picture[:] = 255
        for top in range(30, self.rows - 40, int(self.random.integers(26, 44))):
            self._line(int(self.random.integers(20, 60)), top, words=6, dark=True)

    def _worksheet(self) -> None:
        self.screen.picture[:] = self.random.integers(0, 256, 3) // 3
        for left in range(0, self.columns, 160):
            self.screen.picture[:, left : left + 1] = 140
            for top in range(0, self.rows - 40, 48):
                self.screen.picture[top, :] = 140
                self._line(left + 6, top + 8, words=1)

    def _turned(self) -> None:
        """A film on its side."""
        self._film()
        turns = int(self.random.choice([1, 3]))
        self.screen.picture = np.ascontiguousarray(np.rot90(self.screen.picture, turns))
        self.screen.words = [(text, height, np.rot90(ink, turns)) for text, height, ink in self.screen.words]

    def _sector(self, x: int, top: int, depth: int, half: float) -> None:
        """A fan of speckle, with a scale beside it."""
        rows, columns = np.mgrid[: self.rows, : self.columns]
        away, angle = np.hypot(rows - top, columns - x), np.arctan2(columns - x, rows - top + 1e-6)
        fan = (away < depth) & (away > depth * 0.08) & (abs(angle) < half)
        speckle = cv2.GaussianBlur(self.random.rayleigh(55, (self.rows, self.columns)), (0, 0), 1.3)
        self.screen.picture[fan] = speckle.clip(0, 255).astype(np.uint8)[fan, None]
        for tick in range(6):
            self.screen.picture[top + tick * depth // 6, self.columns - 14 : self.columns - 6] = 200
        ramp = np.linspace(255, 0, self.rows // 4).astype(np.uint8)
        self.screen.picture[40 : 40 + len(ramp), self.columns - 30 : self.columns - 18] = ramp[:, None, None]

    def _line(self, left: int, top: int, words: int = 3, dark: bool | None = None) -> None:
        """A few words side by side, in a size and a color of the line's own."""
        height = int(self.random.integers(9, 25))
        font = ImageFont.truetype(str(self.font), height)
        contrast = int(self.random.integers(70, 256))
        for word in self.random.choice(self.vocabulary, words):
            width = int(font.getlength(word)) + 2
            if left + width > self.columns:
                return
            color = self._color(np.s_[top : top + height + 4, left : left + width], contrast, dark)
            self._word(str(word), left, top, font, color)
            left += width + height // 3

    def _color(self, place: tuple[slice, slice], contrast: int, dark: bool | None) -> npt.NDArray[np.float64]:
        """Ink that stands out by so many gray levels from the mean of what is behind it, as far as there are any."""
        behind = self.screen.picture[place].mean()
        darker = behind > 150 if dark is None else dark
        level = max(0, behind - contrast) if darker else min(255, behind + contrast)
        return np.clip(level * self.random.uniform(0.85, 1.0, 3), 0, 255)

    def _word(
        self, word: str, left: int, top: int, font: ImageFont.FreeTypeFont, color: npt.NDArray[np.float64]
    ) -> None:
        canvas = Image.new("L", (self.columns, self.rows))
        ImageDraw.Draw(canvas).text((left, top), word, 255, font)
        alpha = np.asarray(canvas)[..., None] / 255
        self.screen.picture = (self.screen.picture * (1 - alpha) + color * alpha).astype(np.uint8)
        self.screen.words.append((word, float(font.size), alpha[..., 0] > 0.4))
