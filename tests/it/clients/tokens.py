#!/usr/bin/env python3
"""Signs and verifies tokens (RFC 7519, RFC 8037) with `cryptography`, as somebody would who has nothing of ours.

`tokens.py sign KEY.pk8 WANTED` prints the tokens of WANTED, a JSON list of objects with `header` and `claims`. The
algorithm that a header names says how: `none` not at all, `HS256` with the public key as the secret, and whatever else
with the Ed25519 key.

`tokens.py verify KEYS TOKENS` prints what each token of a JSON list says by a JSON Web Key Set (RFC 7517); null for one
that does not verify.
"""

import base64
import hashlib
import hmac
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED = b"\x04\x22\x04\x20"  # what precedes the 32 bytes in PKCS#8 (RFC 8410, section 7), in whichever version


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(key, wanted):
    signed = ".".join(encode(json.dumps(wanted[part]).encode()) for part in ("header", "claims"))
    algorithm = wanted["header"]["alg"]
    if algorithm == "none":
        signature = b""
    elif algorithm == "HS256":
        secret = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    else:
        signature = key.sign(signed.encode())
    return f"{signed}.{encode(signature)}"


def verify(keys, token):
    signed, signature = token.rsplit(".", 1)
    header, claims = (json.loads(decode(part)) for part in signed.split("."))
    fits = {"kid": header["kid"], "alg": header["alg"], "kty": "OKP", "crv": "Ed25519", "use": "sig"}
    for key in keys["keys"]:
        if fits.items() <= key.items():
            try:
                Ed25519PublicKey.from_public_bytes(decode(key["x"])).verify(decode(signature), signed.encode())
            except InvalidSignature:
                return None
            return claims
    return None


def main(what, keys, tokens):
    tokens = json.loads(tokens)
    if what == "sign":
        with open(keys, "rb") as file:
            key = file.read()
        seed = key[key.index(SEED) + len(SEED) :][:32]
        key = Ed25519PrivateKey.from_private_bytes(seed)
        print(json.dumps([sign(key, wanted) for wanted in tokens]))
    else:
        keys = json.loads(keys)
        print(json.dumps([verify(keys, token) for token in tokens]))


main(*sys.argv[1:])
