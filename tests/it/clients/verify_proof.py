#!/usr/bin/env python3
"""Verifies the proof that a commit stands in the log, as somebody would who has nothing but docs/proofs.md.

    verify_proof.py PROOF.json LEDGER.pub COMMIT [HEAD]

PROOF.json is what `metamcp audit proof` printed, or an answer to `auditProof`. COMMIT is a file with the commit's
body, or its leaf hash in hex. HEAD is a file with a tree head that was kept, over the tree of the proof or over the
earlier one of its `consistency`. Prints one JSON line and exits with 0, or the first fault, with 3.
"""

import base64
import functools
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Fault(Exception):
    """What does not hold, first the part of the proof that it is of."""


def check(holds, fault):
    if not holds:
        raise Fault(fault)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


node = functools.partial(sha256, b"\1")  # of a left and a right child


def included(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2, with its names."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(first, first_hash, second, second_hash, path):
    """RFC 9162, section 2.1.4.2, with its names; a tree continues itself by an empty path."""
    if first == second:
        return not path and first_hash == second_hash
    if not 0 < first < second or not path:
        return False
    if first & (first - 1) == 0:  # a power of two
        path = [first_hash, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_hash and sr == second_hash


class Proof:
    """Both forms as one: the command writes hashes in hex, GraphQL in base64."""

    def __init__(self, document):
        if "data" in document:
            proof = (document["data"] or {}).get("auditProof")
            check(proof, "FORM: the answer holds no proof")
            names = ("sequence", "treeSize", "leafHash", "rootHash")
            decode = functools.partial(base64.b64decode, validate=True)
            self.note = (proof.get("treeHead") or {}).get("note")
        else:
            proof, names = document, ("stream_sequence", "tree_size", "leaf_hash", "root_hash")
            decode, self.note = bytes.fromhex, proof.get("tree_head")

        def read(text):
            # Of hashes of other lengths, one could pass for the end of another.
            decoded = decode(text)
            check(len(decoded) == 32, "FORM: a hash has 32 bytes")
            return decoded

        sequence, size, leaf, root = names
        self.sequence, self.size = proof[sequence], proof[size]
        self.leaf, self.root = read(proof[leaf]), read(proof[root])
        self.inclusion = [read(one) for one in proof["inclusion"]]
        self.earlier = None
        if earlier := proof.get("consistency"):
            path = [read(one) for one in earlier["path"]]
            self.earlier = (earlier[size], read(earlier[root]), path)


def read_keys(path):
    keys = {}
    for line in filter(None, open(path, encoding="utf-8").read().splitlines()):
        name, key_id, key = line.split("+", 2)
        key = base64.b64decode(key)
        fits = key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id
        check(fits, f"FORM: not a key: {line}")
        keys[name, key_id] = Ed25519PublicKey.from_public_bytes(key[1:])
    return keys


def vouched(note, keys):
    """What a note vouches for, size and root, and who has signed it."""
    text, signatures = note.split("\n\n", 1)
    origin, size, root = text.split("\n")
    signers = []
    for line in signatures.splitlines():
        _, name, signed = line.split(" ")
        signed = base64.b64decode(signed)
        key_id = signed[:4].hex()
        if key := keys.get((name, key_id)):
            check(name == origin, "HEAD: it is one of another log")
            try:
                key.verify(signed[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise Fault(f"HEAD: the signature by {name}+{key_id} is not over it") from None
            signers.append(f"{name}+{key_id}")
    check(signers, "HEAD: nobody whose key was given has signed it")
    return int(size), base64.b64decode(root), signers


def verify(proof, keys, leaf, kept):
    """The parts of a proof, each by what was shown before it; nothing holds without a signed head over the tree."""
    check(leaf == proof.leaf, "LEAF: the proof is of another commit")
    check(proof.sequence > 0, "FORM: positions count from 1")
    leads = included(leaf, proof.sequence - 1, proof.size, proof.inclusion, proof.root)
    check(leads, "INCLUSION: the path does not lead from the commit to the root")
    trees = {proof.size: proof.root}
    if proof.earlier:
        size, root, path = proof.earlier
        continues = consistent(size, root, proof.size, proof.root, path)
        check(continues, "CONSISTENCY: the tree does not continue the earlier one")
        trees[size] = root
    heads = [vouched(note, keys) for note in (proof.note, kept) if note]
    for size, root, _ in heads:
        check(trees.get(size) == root, f"HEAD: the one over {size} commits is of another tree")
    check(any(size == proof.size for size, _, _ in heads), "HEAD: no signed one covers exactly this tree")
    signers = sorted({signer for _, _, signed_by in heads for signer in signed_by})
    return {"sequence": proof.sequence, "tree_size": proof.size, "root": proof.root.hex(),
            "continues": proof.earlier and proof.earlier[0], "signers": signers}


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        _, given, public, commit, *head = sys.argv
        is_hash = re.fullmatch("[0-9a-f]{64}", commit)
        leaf_hash = bytes.fromhex(commit) if is_hash else sha256(b"\0", open(commit, "rb").read())
        kept_note = open(head[0], encoding="utf-8", newline="\n").read() if head else None
        document = Proof(json.load(open(given, encoding="utf-8")))
        print(json.dumps(verify(document, read_keys(public), leaf_hash, kept_note)))
    except Fault as fault:
        print(fault)
        sys.exit(3)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as fault:
        print(f"FORM: {fault!r}")
        sys.exit(3)
