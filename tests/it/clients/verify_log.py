#!/usr/bin/env python3
"""Verifies an export of the log, as somebody would who has nothing but docs/audit.md.

`verify_log.py LOG.jsonl LEDGER.pub` prints as JSON what is verified, or, exiting with 3, the first fault, and where.
"""
import base64
import functools
import hashlib
import json
import re
import sys
from decimal import Decimal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LINES = {  # the members that each kind of line has, and those that it may have
    "log": ({"format": int, "subject_root": str, "from": int, "to": int}, {"frontier": list}),
    "commit": ({"stream_sequence": int, "subject": str, "leaf_hash": str}, {"body": str, "body_base64": str}),
    "tree_head": ({"note": str}, {"consistency": list}), "end": ({"commits": int, "tree_heads": int}, {})}
COMMIT = {"actor", "aggregate", "aggregate_id", "command_id", "commit_id", "correlation_id", "events", "previous_hash",
          "recorded_at", "sequence", "tenant"}  # a body with all of them is a commit; most values are not looked into
SIGNATURE = "\u2014 ([^ \n]+) ([^ \n]+)\n"
NOTE = re.compile(f"(([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\n)\n((?:{SIGNATURE})+)")

class Fault(Exception):
    """What is wrong, and the first and the last commit among which it lies: where the last is less, none is named."""

def check(holds, fault, first=1, last=0):
    if not holds:
        raise Fault(fault, first, last)

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

node = functools.partial(sha256, b"\1")  # of a left and a right child
unbase64 = functools.partial(base64.b64decode, validate=True)

def replay(old, new, path, old_root, whole=True):
    """RFC 9162, section 2.1.4: the roots of the old and the new tree to which a proof leads."""
    if old == new:
        return (old_root if whole else path.pop(),) * 2
    half, side = 1 << (new - 1).bit_length() - 1, path.pop()
    if old <= half:
        left, right = replay(old, half, path, old_root, whole)
        return left, node(right, side)
    left, right = replay(old - half, new - half, path, old_root, False)
    return node(side, left), node(side, right)

def canonical(value):
    """RFC 8785 of what was read with `parse_int=float`: all numbers are doubles. Nesting is bounded by Python only."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):  # repr has the digits of ECMAScript, and another way to write exponents
        return format(Decimal(repr(value or 0.0)).normalize(), "f" if not value or 1e-6 <= abs(value) < 1e21 else "e")
    return json.dumps(value, ensure_ascii=False)

def read_keys(path):
    for line in filter(None, open(path, encoding="utf-8").read().splitlines()):
        name, key_id, key = line.split("+", 2)
        key = unbase64(key)
        assert key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id, line
        yield (name, key_id), Ed25519PublicKey.from_public_bytes(key[1:])

class Log:
    def __init__(self, keys):
        self.keys, self.header, self.ended, self.chains, self.heads, self.notes = dict(keys), None, False, {}, 0, 0

    def line(self, line):
        ((kind, pairs),) = entry = json.loads(line.decode(), object_pairs_hook=tuple)
        (needed, more), members = LINES[kind], dict(pairs)
        check(type(entry) is type(pairs) is tuple and len(pairs) == len(members.keys() | needed), f"not a whole {kind}")
        check(all(type(value) is (needed | more)[name] for name, value in pairs), f"not the members of {kind}")
        check((kind == "log") == (self.header is None) and not self.ended, f"{kind} in another place")
        getattr(self, kind)(members)

    def log(self, header):
        self.header, self.peaks = header, [bytes.fromhex(peak) for peak in header.get("frontier", [])]
        self.size = self.signed_to = header["from"] - 1
        check(header["format"] == 1 and self.size >= 0 and len(self.peaks) == bin(self.size).count("1"), "not format 1")

    def commit(self, line):
        check(len(line) == 4, "either `body` or `body_base64`")
        at, found = self.size + 1, line["stream_sequence"]
        body = line["body"].encode() if "body" in line else unbase64(line["body_base64"])
        check(found == at, f"commit {found} in place of {at}", min(found, at), at)
        check(sha256(b"\0", body).hex() == line["leaf_hash"].lower(), f"commit {at} was altered", at, at)
        try:
            commit = json.loads(body.decode(), parse_int=float, parse_constant=int)  # which no NaN is
        except ValueError:
            commit = None
        if type(commit) is dict and commit.keys() >= COMMIT:  # else the tree has its bytes, and that is all
            check(canonical(commit) == body.decode(), f"commit {at} is not in canonical form", at, at)
            names = [self.header["subject_root"], commit["tenant"], commit["aggregate"], commit["aggregate_id"]]
            check((subject := ".".join(names)) == line["subject"], f"commit {at} at another subject", at, at)
            now = [commit["sequence"] - 1, commit["previous_hash"]]
            after, *before = self.chains.get(subject, (1, 0, None) if self.header["from"] == 1 else (1, *now))
            check(now == before, f"commit {at} breaks the chain of {subject}", after, at)
            self.chains[subject] = (at, commit["sequence"], sha256(body).hex())
        self.size, self.peaks = at, [*self.peaks, sha256(b"\0", body)]
        for _ in range((at & -at).bit_length() - 1):  # subtrees that it completes
            self.peaks[-2:] = [node(*self.peaks[-2:])]

    def root(self):
        return functools.reduce(lambda right, left: node(left, right), self.peaks[::-1] or [sha256()])

    def tree_head(self, line):
        text, origin, size, root, signatures, *_ = NOTE.fullmatch(line["note"]).groups()
        size, root, path = int(size), unbase64(root), [bytes.fromhex(part) for part in line.get("consistency", [])]
        signed = [(name, unbase64(signature)) for name, signature in re.findall(SIGNATURE, signatures)]
        known = [(name, one) for name, one in signed if (name, one[:4].hex()) in self.keys]
        for name, one in known:
            check(name == origin, "a head of another log")
            self.keys[name, one[:4].hex()].verify(one[4:], text.encode())
        after, end, own = self.signed_to, self.size, self.root()
        if known and path and size > end:
            roots = replay(end, size, rest := [b""] * 64 + path, own)  # where a proof is short, no root fits
            check(roots == (own, root) and len(rest) == 64, f"{size} is not proved to continue {end}", after + 1, end)
        elif known:
            check((size, root) == (end, own), f"not what was signed as {size}", min(after, size) + 1, max(size, end))
        self.heads, self.notes, self.signed_to = self.heads + bool(known), self.notes + 1, end if known else after

    def end(self, counts):
        found = (self.size + 1 - self.header["from"], self.notes, self.size)
        self.ended = (counts["commits"], counts["tree_heads"], self.header["to"]) == found
        self.finish()

    def finish(self):
        check(self.ended, "lines are missing", self.size + 1, min(self.size + 1, self.header["to"]))
        check(self.heads, "no head is signed by the given keys")
        return {"from": self.header["from"], "to": self.size, "objects": len(self.chains),
                "heads": self.heads, "signed_to": self.signed_to, "root": self.root().hex()}

def verify(export, keys):
    log, lines = Log(read_keys(keys)), open(export, "rb")
    try:
        for line in lines:
            log.line(line)
        return log.finish()
    except (Fault, ValueError, TypeError, AttributeError, LookupError, RecursionError, InvalidSignature) as fault:
        text, *named = fault.args if type(fault) is Fault else (f"not a line of the format: {fault!r}", 1, 0)
        return {"fault": text, "commits": named if named[0] <= named[1] else None}

if __name__ == "__main__":
    print(json.dumps(said := verify(*sys.argv[1:])))
    sys.exit(3 if "fault" in said else 0)
