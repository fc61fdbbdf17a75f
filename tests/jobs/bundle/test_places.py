from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeward.jobs.bundle.faults import BundleRefused, Fault
from lakeward.jobs.bundle.places import Node, read


def _read(folder: Path, text: str) -> Node:
    file = folder / "a.yml"
    file.write_text(text, encoding="utf-8")
    return read(file, folder)


def _refused(folder: Path, text: str) -> Fault:
    with pytest.raises(BundleRefused) as refused:
        _read(folder, text)
    (fault,) = refused.value.faults
    return fault


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    node = _read(tmp_path, "a: 1\nb:\n  c:\n    - x\n    -\n      y: 2\n")
    lines = [node.place_of(*path).line for path in (["a"], ["b"], ["b", "c"], ["b", "c", 0], ["b", "c", 1, "y"])]
    assert lines == [1, 2, 3, 4, 6]
    assert node.place_of("b", "c", 9, "z").line == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("yes", "yes"), ("on", "on"), ("No", "No"), ("12:30:45", "12:30:45"), ("2024-01-02", "2024-01-02")),
        *(("true", True), ("FALSE", False), ("~", None), ("", None), ("010", 10), ("0x1F", 31), ("0b11", 3)),
        *(
            ("1_000", 1000),
            ("-3", -3),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("'1'", "1"),
            ("!!str 1", "1"),
            ("1.2.3", "1.2.3"),
        ),
    ],
)
def test_scalars_mean_what_they_mean_to_the_cli(text: str, value: object, tmp_path: Path) -> None:
    found = _read(tmp_path, f"a: {text}").plain()["a"]
    assert (found, type(found)) == (value, type(value))


def test_a_key_that_is_there_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    fault = _refused(tmp_path, "a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert str(fault) == "a.yml:4: the key b is there twice, first in line 2; keep one."


def test_an_anchor_is_copied_and_can_be_merged(tmp_path: Path) -> None:
    node = _read(tmp_path, "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {a: 5}]}\nw: *x\n")
    assert node.plain() == {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}, "z": {"a": 5, "b": 2}, "w": {"a": 1, "b": 2}}


def test_what_holds_nothing_but_anchors_is_known(tmp_path: Path) -> None:
    text = (
        "own: &x {a: 1}\nlist:\n  - &y\n    b: 1\n  - &z 2\nmap: {é: &u [1]}\nmixed: [&v 1, 2]\nalias: *x\nempty: []\n"
    )
    node = _read(tmp_path, text)
    assert [key for key, child in node.entries.items() if child.anchors] == ["own", "list", "map", "alias"]


_BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1", "a.yml:2: not YAML"),
        ("a: &x [*x]", "a.yml:1: an anchor holds an alias of itself"),
        ("1: a", "a.yml:1: a key that is not text"),
        ("a: !secret b", "a.yml:1: the tag !secret is not known"),
        ("a: {<<: 1}", "a.yml:1: << takes a mapping"),
        (_BOMB, "more than 100,000 values"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_line(text: str, reason: str, tmp_path: Path) -> None:
    assert reason in str(_refused(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"a\.yml: can't be read: No such file"):
        read(tmp_path / "a.yml", tmp_path)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(value=st.dictionaries(st.text(), _PLAIN, max_size=4))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_what_was_written_is_read_as_it_was(value: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    text = yaml.dump(value, default_style='"')
    assert _read(tmp_path_factory.getbasetemp(), text).plain() == value
