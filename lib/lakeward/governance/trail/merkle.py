"""Merkle trees as in RFC 9162: hashes, inclusion and consistency proofs, and their verification.

A proof is made from hashes of complete subtrees, asked for by level and position: the subtree at level 3, position 2
has the leaves 16 to 23.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from lakeward.governance.trail.errors import NotProven

EMPTY = sha256().digest()
"""Hash of a tree with no leaves."""

Subtree = Callable[[int, int], bytes]
"""Gives the hash of a complete subtree, by level and position."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 9162, 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the next level up; `hashes` are an even number of neighbors."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)]


def top(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree, whose hashes at one level are given."""
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]


class Frontier:
    """The roots of the complete subtrees that a tree is made of, largest first: all that is needed to add leaves.

    Parameters
    ----------
    size : int
        Number of leaves.
    hashes : sequence of bytes
        One for each bit that is set in `size`, highest first.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)

    def add(self, hash_: bytes, level: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """Add a leaf, or a complete subtree of a level that fits, and yield each inner node that it completes."""
        position = self.size >> level
        self.size += 1 << level
        while position & 1:
            hash_ = node_hash(self.hashes.pop(), hash_)
            level, position = level + 1, position >> 1
            yield level, position, hash_
        self.hashes.append(hash_)

    def root(self) -> bytes:
        """Hash of the tree (RFC 9162, 2.1.1)."""
        if not self.hashes:
            return EMPTY
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root(size: int, subtree: Subtree) -> bytes:
    """Hash of the tree that the first `size` leaves make (RFC 9162, 2.1.1)."""
    return _range(0, size, subtree) if size else EMPTY


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Prove that a leaf is in a tree (RFC 9162, 2.1.3.1).

    Parameters
    ----------
    index : int
        The leaf's number, from 0.
    size : int
        Number of leaves.

    Returns
    -------
    list of bytes
        Hashes, from the leaf's neighbor to the root's child.
    """
    path = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_range(middle, stop, subtree))
            stop = middle
        else:
            path.append(_range(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency(first: int, second: int, subtree: Subtree) -> list[bytes]:
    """Prove that the tree of `first` leaves is the beginning of that of `second` (RFC 9162, 2.1.4.1)."""
    if first in (0, second):
        return []
    path = []
    start, stop, whole = 0, second, True
    while first != stop:
        middle = start + _split(stop - start)
        if first <= middle:
            path.append(_range(middle, stop, subtree))
            stop = middle
        else:
            path.append(_range(start, middle, subtree))
            start, whole = middle, False
    return [*([] if whole else [_range(start, stop, subtree)]), *path[::-1]]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Verify an inclusion proof (RFC 9162, 2.1.3.2).

    Raises
    ------
    NotProven
        If the leaf is not shown to be in the tree with that root.
    """
    if not 0 <= index < size:
        raise NotProven(f"There is no leaf {index} in a tree of {size}.")
    node, last, found = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise NotProven("The inclusion proof is too long.")
        if node & 1 or node == last:
            found = node_hash(hash_, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, hash_)
        node, last = node >> 1, last >> 1
    if last or found != root:
        raise NotProven(f"The inclusion proof does not lead from leaf {index} to the root.")


def check_consistency(first: int, second: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Verify a consistency proof (RFC 9162, 2.1.4.2).

    Raises
    ------
    NotProven
        If the first tree is not shown to be the beginning of the second.
    """
    if first in (0, second):
        proven = not proof and root1 == (root2 if first else EMPTY)
    else:
        path = [root1, *proof] if first & (first - 1) == 0 else list(proof)
        proven = first < second and _leads(first, second, path, root1, root2)
    if not proven:
        raise NotProven(f"The tree of {first} leaves is not the beginning of the tree of {second}.")


def _leads(first: int, second: int, path: Sequence[bytes], root1: bytes, root2: bytes) -> bool:
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not path:
        return False
    old = new = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(hash_, old), node_hash(hash_, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, hash_)
        node, last = node >> 1, last >> 1
    return not last and old == root1 and new == root2


def _split(size: int) -> int:
    """Return the largest power of two below `size`, which is 2 or more."""
    return 1 << (size - 1).bit_length() - 1


def _range(start: int, stop: int, subtree: Subtree) -> bytes:
    """Hash of the leaves from start to stop, of which the largest complete subtree lies at the left."""
    size = stop - start
    if size & (size - 1) == 0:
        return subtree(size.bit_length() - 1, start // size)
    middle = start + _split(size)
    return node_hash(_range(start, middle, subtree), _range(middle, stop, subtree))
