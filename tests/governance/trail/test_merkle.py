"""Merkle trees, against the vectors that Certificate Transparency's implementations share (RFC 6962 and 9162)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.merkle import (
    EMPTY,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency,
    inclusion,
    leaf_hash,
    root,
    top,
)

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
HASHES = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A, B, C, D, E, F, G = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
)
INCLUSION = {
    (0, 1): [],
    (0, 8): [A, B, C],
    (5, 8): [D, E, ROOTS[4]],
    (2, 3): [ROOTS[2]],
    (1, 5): [ROOTS[1], B, D],
}
CONSISTENCY = {(1, 1): [], (1, 8): [A, B, C], (6, 8): [F, E, ROOTS[4]], (2, 5): [B, D], (6, 7): [F, G, ROOTS[4]]}


def _subtree(level: int, position: int) -> bytes:
    return top(HASHES[position << level : (position + 1) << level])


def _hex(proof: list[bytes]) -> list[str]:
    return [it.hex() for it in proof]


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    frontier = Frontier()
    for leaf in HASHES[:size]:
        list(frontier.add(leaf))
    assert frontier.root().hex() == root(size, _subtree).hex() == ROOTS[size]


@pytest.mark.parametrize("case", INCLUSION)
def test_the_published_inclusion_proofs(case: tuple[int, int]) -> None:
    proof = inclusion(*case, _subtree)
    assert _hex(proof) == INCLUSION[case]
    check_inclusion(HASHES[case[0]], *case, proof, bytes.fromhex(ROOTS[case[1]]))


@pytest.mark.parametrize("case", CONSISTENCY)
def test_the_published_consistency_proofs(case: tuple[int, int]) -> None:
    proof = consistency(*case, _subtree)
    assert _hex(proof) == CONSISTENCY[case]
    check_consistency(*case, proof, *(bytes.fromhex(ROOTS[size]) for size in case))


LOG = [leaf_hash(b"%d" % number) for number in range(70)]


def _logged(level: int, position: int) -> bytes:
    return top(LOG[position << level : (position + 1) << level])


@given(st.data())
def test_a_proof_holds_for_its_leaf_and_tree_alone(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(index, size, _logged)
    check_inclusion(LOG[index], index, size, proof, root(size, _logged))
    other = data.draw(st.integers(0, size - 1).filter(lambda it: it != index)) if size > 1 else 1
    for leaf, number, path in [
        (LOG[other], index, proof),
        (LOG[index], other, proof),
        (LOG[index], index, proof[:-1] if proof else [EMPTY]),
        (LOG[index], index, [*proof, EMPTY]),
    ]:
        with pytest.raises(NotProven):
            check_inclusion(leaf, number, size, path, root(size, _logged))


@given(st.integers(0, 70), st.integers(0, 70))
def test_any_tree_is_the_beginning_of_a_larger_one_and_of_no_other(one: int, other: int) -> None:
    first, second = sorted((one, other))
    roots = root(first, _logged), root(second, _logged)
    proof = consistency(first, second, _logged)
    check_consistency(first, second, proof, *roots)
    for wrong in [(LOG[0] + b"x", roots[1]), (roots[0], LOG[0] + b"x")]:
        if first:
            with pytest.raises(NotProven):
                check_consistency(first, second, proof, *wrong)
    with pytest.raises(NotProven):
        check_consistency(first, second, [*proof, EMPTY], *roots)


def test_no_tree_is_the_beginning_of_a_smaller_one() -> None:
    with pytest.raises(NotProven):
        check_consistency(8, 7, [], EMPTY, EMPTY)
