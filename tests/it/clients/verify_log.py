#!/usr/bin/env python3
"""Verifies an export of the log, as somebody would who has nothing but docs/audit.md.

`verify_log.py LOG.jsonl LEDGER.pub` prints one JSON line and exits with 0, or the first fault, with 3.
"""

import base64
import functools
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(holds, fault):
    if not holds:
        raise ValueError(fault)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


node = functools.partial(sha256, b"\1")  # of a left and a right child


class Tree:
    """RFC 9162, section 2.1: the hashes of the largest complete subtrees, largest first."""

    def __init__(self, size, peaks):
        check(len(peaks) == bin(size).count("1"), "the frontier does not fit")
        self.size, self.peaks = size, peaks

    def push(self, leaf):
        size = self.size
        while size & 1:
            leaf, size = node(self.peaks.pop(), leaf), size >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self):
        join = lambda right, left: node(left, right)
        return functools.reduce(join, self.peaks[::-1] or [sha256()])


def replay(old, new, path, old_root, whole=True):
    """RFC 9162, section 2.1.4: the roots of the old and the new tree to which a proof leads."""
    if old == new:
        both = old_root if whole else path.pop()
        return both, both
    half, side = 1 << (new - 1).bit_length() - 1, path.pop()
    if old <= half:
        left, right = replay(old, half, path, old_root, whole)
        return left, node(right, side)
    left, right = replay(old - half, new - half, path, old_root, False)
    return node(side, left), node(side, right)


def read_keys(path):
    keys = {}
    for line in filter(None, open(path, encoding="utf-8").read().splitlines()):
        name, key_id, key = line.split("+", 2)
        key = base64.b64decode(key)
        check(key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id, f"key {line}")
        keys[name, key_id] = Ed25519PublicKey.from_public_bytes(key[1:])
    return keys


class Log:
    def __init__(self, keys):
        self.keys, self.header, self.ended = keys, None, False
        self.chains, self.heads, self.head_lines = {}, 0, 0

    def line(self, line):
        ((kind, value),) = json.loads(line).items()
        check(kind in ("log", "commit", "tree_head", "end"), f"unknown line {kind}")
        check((kind == "log") == (self.header is None) and not self.ended, f"misplaced {kind}")
        getattr(self, kind)(value)

    def log(self, header):
        check(header["format"] == 1, "another format")
        self.header, self.signed_to = header, header["from"] - 1
        self.tree = Tree(self.signed_to, [bytes.fromhex(peak) for peak in header.get("frontier", [])])

    def commit(self, line):
        at = self.tree.size + 1
        check(line["stream_sequence"] == at, f"commit {line['stream_sequence']} in place of {at}")
        body = line["body"].encode() if "body" in line else base64.b64decode(line["body_base64"])
        leaf = sha256(b"\0", body)
        check(leaf.hex() == line["leaf_hash"], f"commit {at} was altered")
        try:
            commit = json.loads(body)
            names = [commit["tenant"], commit["aggregate"], commit["aggregate_id"]]
            subject = ".".join([self.header["subject_root"], *names])
        except (ValueError, KeyError, TypeError):
            pass  # no commit: the tree covers its bytes, and there is no more to say
        else:
            check(line["subject"] == subject, f"commit {at} lies at another subject")
            if subject in self.chains or self.header["from"] == 1:
                found = (commit["sequence"] - 1, commit["previous_hash"])
                check(found == self.chains.get(subject, (0, None)), f"commit {at} breaks its chain")
            self.chains[subject] = (commit["sequence"], sha256(body).hex())
        self.tree.push(leaf)

    def tree_head(self, line):
        self.head_lines += 1
        text, signatures = line["note"].split("\n\n", 1)
        origin, size, root = text.split("\n")
        size, root, end, trusted = int(size), base64.b64decode(root), self.tree.size, False
        for signature in signatures.splitlines():
            _, name, signed = signature.split(" ")
            signed = base64.b64decode(signed)
            if key := self.keys.get((name, signed[:4].hex())):
                check(name == origin, "a head of another log")
                key.verify(signed[4:], f"{text}\n".encode())
                trusted = True
        if not trusted:
            return
        if size > end:
            path = [bytes.fromhex(part) for part in line.get("consistency", [])]
            roots = replay(end, size, path, self.tree.root())
            check(roots == (self.tree.root(), root) and not path, f"{size} does not continue {end}")
        else:
            check(size == end and root == self.tree.root(),
                  f"commits {self.signed_to + 1} to {size} are not those that were signed")
        self.heads, self.signed_to = self.heads + 1, end

    def end(self, counts):
        found = (self.tree.size + 1 - self.header["from"], self.head_lines, self.tree.size)
        check((counts["commits"], counts["tree_heads"], self.header["to"]) == found, "lines are missing")
        self.ended = True

    def finish(self):
        check(self.ended and self.heads, "cut off, or no head is signed by the given keys")
        return {"from": self.header["from"], "to": self.tree.size, "objects": len(self.chains),
                "heads": self.heads, "signed_to": self.signed_to, "root": self.tree.root().hex()}


if __name__ == "__main__":
    try:
        checked = Log(read_keys(sys.argv[2]))
        for entry in open(sys.argv[1], encoding="utf-8", newline="\n"):
            checked.line(entry)
        print(json.dumps(checked.finish()))
    except (InvalidSignature, ValueError, KeyError, IndexError) as fault:
        print(repr(fault))
        sys.exit(3)
