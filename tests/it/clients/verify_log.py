#!/usr/bin/env python3
"""Verifies an export of the log, as somebody would who has nothing but docs/audit.md.

    verify_log.py LOG.jsonl LEDGER.pub

Prints one JSON line and exits 0, or prints the first fault and exits 3. Needs `cryptography` for Ed25519.
"""

import base64
import functools
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Fault(Exception):
    """The export is not what was signed."""


def check(holds, fault):
    if not holds:
        raise Fault(fault)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Tree:
    """RFC 9162, section 2.1: the hashes of the largest complete subtrees, largest first."""

    def __init__(self, size, peaks):
        check(len(peaks) == bin(size).count("1"), "the frontier does not fit")
        self.size, self.peaks = size, peaks

    def push(self, leaf):
        size = self.size
        while size & 1:
            leaf, size = sha256(b"\1", self.peaks.pop(), leaf), size >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self):
        join = lambda right, left: sha256(b"\1", left, right)
        return functools.reduce(join, reversed(self.peaks)) if self.peaks else sha256()


def replay(old, new, path, old_root, whole=True):
    """RFC 9162, section 2.1.4: the roots of the old and the new tree to which a proof leads."""
    if old == new:
        node = old_root if whole else path.pop()
        return node, node
    half, side = 1 << (new - 1).bit_length() - 1, path.pop()
    if old <= half:
        left, right = replay(old, half, path, old_root, whole)
        return left, sha256(b"\1", right, side)
    left, right = replay(old - half, new - half, path, old_root, False)
    return sha256(b"\1", side, left), sha256(b"\1", side, right)


def read_keys(path):
    keys = {}
    with open(path, encoding="utf-8") as lines:
        for line in filter(None, (line.strip() for line in lines)):
            name, key_id, key = line.split("+", 2)
            key = base64.b64decode(key)
            assert key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id, line
            keys[name, key_id] = Ed25519PublicKey.from_public_bytes(key[1:])
    return keys


class Log:
    def __init__(self, keys):
        self.keys, self.header, self.ended = keys, None, False
        self.chains, self.heads, self.head_lines, self.signed_to = {}, 0, 0, 0

    def line(self, line):
        ((kind, value),) = json.loads(line).items()
        check((kind == "log") == (self.header is None) and not self.ended, f"misplaced {kind}")
        getattr(self, kind)(value)

    def log(self, header):
        check(header["format"] == 1, "another format")
        self.header, self.signed_to = header, header["from"] - 1
        self.tree = Tree(self.signed_to, [bytes.fromhex(peak) for peak in header.get("frontier", [])])

    def commit(self, line):
        at = self.tree.size + 1
        check(line["stream_sequence"] == at, f"commit {line['stream_sequence']} in place of {at}")
        text = line.get("body")
        body = base64.b64decode(line["body_base64"]) if text is None else text.encode()
        leaf = sha256(b"\0", body)
        check(leaf.hex() == line["leaf_hash"], f"commit {at} was altered")
        try:
            commit = json.loads(body)
            names = [commit["tenant"], commit["aggregate"], commit["aggregate_id"]]
        except (ValueError, KeyError, TypeError):
            commit = None  # no commit: the tree covers its bytes, and there is no more to say
        if commit is not None:
            subject = ".".join([self.header["subject_root"], *names])
            check(line["subject"] == subject, f"commit {at} lies at another subject")
            if subject in self.chains or self.header["from"] == 1:
                sequence, previous = self.chains.get(subject, (0, None))
                check(commit["sequence"] == sequence + 1, f"commit {at} is not the next of its object")
                check(commit["previous_hash"] == previous, f"commit {at} does not follow the one before")
            self.chains[subject] = (commit["sequence"], sha256(body).hex())
        self.tree.push(leaf)

    def tree_head(self, line):
        self.head_lines += 1
        text, signatures = line["note"].split("\n\n", 1)
        origin, size, root = text.split("\n")
        size, root, end = int(size), base64.b64decode(root), self.tree.size
        good = 0
        for signature in signatures.splitlines():
            _, name, encoded = signature.split(" ")
            signed = base64.b64decode(encoded)
            key = self.keys.get((name, signed[:4].hex()))
            if key is None:
                continue
            check(name == origin, "a head of another log")
            try:
                key.verify(signed[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise Fault(f"the head over {size} commits is not signed by {name}") from None
            good += 1
        if not good:
            return
        if size > end:
            path = [bytes.fromhex(node) for node in line.get("consistency", [])]
            check(path, f"cut off before {size}")
            roots = replay(end, size, path, self.tree.root())
            check(roots == (self.tree.root(), root) and not path, f"{size} does not continue {end}")
        else:
            check(size == end and root == self.tree.root(),
                  f"commits {self.signed_to + 1} to {size} are not those that were signed")
        self.heads, self.signed_to = self.heads + 1, end

    def end(self, counts):
        commits = self.tree.size + 1 - self.header["from"]
        check((counts["commits"], counts["tree_heads"]) == (commits, self.head_lines), "lines are missing")
        check(self.tree.size == self.header["to"], "cut off")
        self.ended = True

    def finish(self):
        check(self.ended, "cut off")
        check(self.heads, "no head is signed by the given keys")
        return {"from": self.header["from"], "to": self.tree.size, "objects": len(self.chains),
                "heads": self.heads, "signed_to": self.signed_to, "root": self.tree.root().hex()}


if __name__ == "__main__":
    try:
        checked = Log(read_keys(sys.argv[2]))
        with open(sys.argv[1], encoding="utf-8", newline="\n") as export:
            for entry in export:
                checked.line(entry)
        print(json.dumps(checked.finish()))
    except (Fault, ValueError, KeyError, IndexError) as fault:
        print(repr(fault))
        sys.exit(3)
