"""De-identification profiles as small YAML files: the options over the Basic Profile, and a user's own rules."""

import hashlib
import json
import re
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lakeward.imaging.deidentification.standard import EDITION, Option
from lakeward.imaging.pixels.encoding import TransferSyntax
from lakeward.imaging.pixels.regions import RegionRule
from lakeward.imaging.reasons import RELEASABLE, Reason
from lakeward.workspace.errors import ConfigurationError

Action = Literal["D", "Z", "X", "K", "C", "U"]
RULES_VERSION = 3
"""Raised whenever the same profile would give other output, so that files are known to be of an earlier kind."""

_TAKEN_CARE_OF = {
    Option.CLEAN_PIXEL_DATA: frozenset({Reason.BURNED_IN_ANNOTATION, Reason.BURNED_IN_RISK}),
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: frozenset({Reason.RECOGNIZABLE_FEATURES}),
}
_TAG = re.compile(r"\(?([0-9a-fx]{4}),?([0-9a-fx]{4})\)?", re.IGNORECASE)


def _tag_pattern(text: str) -> str:
    match = _TAG.fullmatch(text.strip())
    if not match:
        raise ValueError("write a tag as (gggg,eeee) in hexadecimal, with x for any digit, for example (0018,9xxx)")
    return (match[1] + match[2]).upper().replace("X", "x")


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


class UserRule(BaseModel):
    """One rule of a user's: all the conditions that are given must hold; the first rule that fits wins over the table.

    Attributes
    ----------
    tag : str
        Tag with ``x`` for any digit. With `creator` the two digits of the block are ``xx``: ``(0029,xx10)``.
    creator : str
        Private creator whose block the element must be in.
    vr : str
        Value representation.
    keyword : str
        Keyword in PS3.6, with ``*`` and ``?`` as in file names.
    value : str
        Regular expression that must be found in the element's text.
    action : str
        D, Z, X, K, C or U, as in PS3.15 Table E.1-1a.

    Notes
    -----
    Private elements are removed unless a rule names their creator: the creator's own element stays with them, and
    could be anything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: Annotated[str, AfterValidator(_tag_pattern)] | None = None
    creator: str | None = None
    vr: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    keyword: str | None = None
    value: Annotated[str, AfterValidator(_regex)] | None = None
    action: Action

    @model_validator(mode="after")
    def _has_a_condition(self) -> "UserRule":
        if not (self.tag or self.creator or self.vr or self.keyword or self.value):
            raise ValueError("a rule needs a condition: tag, creator, vr, keyword or value")
        return self

    def fits(self, tag: int, vr: str, keyword: str, creator: str | None) -> bool:
        """Whether every condition but `value` holds for an element."""
        if tag >> 16 & 1 and self.creator is None:
            return False
        return (
            (self.tag is None or all(want in ("x", have) for want, have in zip(self.tag, f"{tag:08X}", strict=True)))
            and (self.creator is None or self.creator == creator)
            and (self.vr is None or self.vr == vr)
            and (self.keyword is None or fnmatchcase(keyword, self.keyword))
        )


class Profile(BaseModel):
    """What is removed, replaced and kept.

    Attributes
    ----------
    name, description : str
        For people.
    options : tuple of Option
        Options of PS3.15 Annex E that are on, over the Basic Application Level Confidentiality Profile.
    rules : tuple of UserRule
        The user's own rules, in order.
    regions : tuple of RegionRule
        Where the user's devices write text into pixels; for the option ``clean_pixel_data``.
    max_age : int or None
        Age in years that older patients are given too; 90 follows 45 CFR 164.514(b)(2)(i)(C). None leaves ages alone.
    transfer_syntax : TransferSyntax
        What images are stored in that are native or compressed without loss: ``keep``, or one for all, lossless.
    accept : frozenset of Reason
        Reasons for quarantine that this profile lets through. Only reasons that a person may overrule can be named.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    description: str = ""
    options: tuple[Option, ...] = ()
    rules: tuple[UserRule, ...] = ()
    regions: tuple[RegionRule, ...] = ()
    max_age: Annotated[int, Field(ge=1)] | None = None
    transfer_syntax: TransferSyntax = "keep"
    accept: frozenset[Reason] = frozenset()

    @model_validator(mode="after")
    def _is_consistent(self) -> "Profile":
        if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= set(self.options):
            raise ValueError("options: retain_full_dates and retain_modified_dates exclude each other; keep one")
        if self.regions and Option.CLEAN_PIXEL_DATA not in self.options:
            raise ValueError("regions: only the option clean_pixel_data uses them; add it or leave them out")
        for option, reasons in _TAKEN_CARE_OF.items():
            if option in self.options and (let_pass := self.accept & reasons):
                raise ValueError(f"accept: {', '.join(sorted(let_pass))}: {option} takes care of it; keep one")
        if fixed := self.accept - RELEASABLE:
            raise ValueError(f"accept: {', '.join(sorted(fixed))}: no profile can accept this; leave it out")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 (hexadecimal) of all that decides the output: options, rules, accepted reasons and table edition."""
        content = self.model_dump(mode="json", exclude={"name", "description"})
        content |= {"options": sorted(self.options), "accept": sorted(self.accept)}
        content |= {"edition": EDITION, "rules_version": RULES_VERSION}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def has(self, option: Option) -> bool:
        """Whether an option is on."""
        return option in self.options

    def accepting(self, *reasons: Reason) -> "Profile":
        """Return this profile with more reasons accepted, as for a file that a person released."""
        return self.model_copy(update={"accept": self.accept | set(reasons)})


def shipped() -> list[str]:
    """Names of the profiles that come with Lakeward."""
    names = (path.name for path in files(__package__).joinpath("profiles").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_profile(name_or_path: str | Path) -> Profile:
    """Load a profile by the name of a shipped one or from a YAML file.

    Raises
    ------
    ConfigurationError
        If there is none of that name, or the file is wrong; the message names the field.
    """
    if str(name_or_path) in shipped():
        text = files(__package__).joinpath("profiles", f"{name_or_path}.yaml").read_text("utf-8")
    elif Path(name_or_path).is_file():
        text = Path(name_or_path).read_text("utf-8")
    else:
        raise ConfigurationError(
            f"No profile {str(name_or_path)!r}: give the path of a YAML file or one of {', '.join(shipped())}."
        )
    return parse_profile(text, str(name_or_path))


def parse_profile(text: str, name: str) -> Profile:
    """Read a profile from the text of a YAML file, which errors call by a name.

    Raises
    ------
    ConfigurationError
        If it is wrong; the message names the field.
    """
    try:
        return Profile.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise ConfigurationError(f"Profile {name}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError | yaml.YAMLError) -> str:
    if isinstance(error, yaml.YAMLError):
        return f"not valid YAML: {' '.join(str(error).split())}"
    first, *more = error.errors()
    where = ".".join(map(str, first["loc"]))
    return f"{where + ': ' if where else ''}{first['msg']}" + (f" (and {len(more)} more)" if more else "")
