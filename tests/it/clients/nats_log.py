#!/usr/bin/env python3
"""Reads the whole log with nats-py, as somebody would who has nothing but the design of the log.

    nats_log.py URL USER PASSWORD TENANT [STREAM [ROOT]]

Checks each message: its subject, its fields, that the commits of an aggregate are numbered from 1
without a gap, and that each names the SHA-256 of the one before. Prints one JSON line about TENANT;
exits 1 with the first fault on standard error.
"""

import asyncio
import hashlib
import json
import re
import sys
from collections import Counter

import nats
from nats.errors import TimeoutError as NoMore
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

COMMIT = {
    "commit_id", "tenant", "aggregate", "aggregate_id", "sequence", "actor", "command_id",
    "correlation_id", "recorded_at", "previous_hash", "events",
}
ACTORS = {"user", "agent", "service", "operator", "system"}
RECORDED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BATCH = 500


class Fault(Exception):
    """The log is not what its design says."""


class Log:
    def __init__(self, root, tenant):
        self.root, self.tenant = root, tenant
        self.last = {}  # subject -> (sequence, hash of the body)
        self.tenants, self.types, self.tools = Counter(), Counter(), set()

    def read(self, subject, body):
        commit = json.loads(body)
        self.check_form(commit)
        lies = ".".join([self.root, commit["tenant"], commit["aggregate"], commit["aggregate_id"]])
        if subject != lies:
            raise Fault(f"lies at {subject}, belongs to {lies}")
        sequence, previous = self.last.get(subject, (0, None))
        if commit["sequence"] != sequence + 1:
            raise Fault(f"sequence {commit['sequence']} follows {sequence}")
        if commit["previous_hash"] != previous:
            raise Fault(f"previous_hash {commit['previous_hash']}, the body before has {previous}")
        self.last[subject] = (commit["sequence"], hashlib.sha256(body).hexdigest())
        self.tenants[commit["tenant"]] += 1
        if commit["tenant"] == self.tenant:
            self.count(commit)

    def check_form(self, commit):
        if set(commit) != COMMIT:
            raise Fault(f"fields {sorted(set(commit) ^ COMMIT)} are missing or unknown")
        for field in ("commit_id", "command_id", "correlation_id"):
            if not UUID.fullmatch(commit[field]):
                raise Fault(f"{field} {commit[field]}")
        if not RECORDED_AT.fullmatch(commit["recorded_at"]):
            raise Fault(f"recorded_at {commit['recorded_at']}")
        if set(commit["actor"]) != {"kind", "id"} or commit["actor"]["kind"] not in ACTORS:
            raise Fault(f"actor {commit['actor']}")
        if not commit["events"]:
            raise Fault("no events")
        for event in commit["events"]:
            if set(event) != {"type", "version", "data"} or event["version"] < 1:
                raise Fault(f"event {event.get('type')} version {event.get('version')}")
            if not event["type"].startswith(commit["aggregate"] + "."):
                raise Fault(f"event {event['type']} in an aggregate {commit['aggregate']}")

    def count(self, commit):
        for event in commit["events"]:
            self.types[event["type"]] += 1
            if event["type"] == "tool.registered":
                self.tools.add(commit["aggregate_id"])

    def summary(self):
        return {
            "commits": self.tenants[self.tenant],
            "events": sum(self.types.values()),
            "by_type": dict(sorted(self.types.items())),
            "tools": len(self.tools),
            "aggregates": len(self.last),
            "tenants": dict(sorted(self.tenants.items())),
        }


async def read(url, user, password, tenant, stream="METAMCP_EVENTS", root="metamcp.event"):
    log = Log(root, tenant)
    connection = await nats.connect(url, user=user, password=password, connect_timeout=10)
    try:
        jetstream = connection.jetstream()
        head = (await jetstream.stream_info(stream)).state.last_seq
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
        messages = await jetstream.pull_subscribe(f"{root}.>", stream=stream, config=config)
        position = 0
        while position < head:
            try:
                batch = await messages.fetch(min(BATCH, head - position), timeout=10)
            except NoMore:
                raise Fault(f"the log has {head} messages, and gave {position}") from None
            for message in batch:
                if message.metadata.sequence.stream != position + 1:
                    raise Fault(f"message {message.metadata.sequence.stream} follows {position}")
                position += 1
                try:
                    log.read(message.subject, message.data)
                except (Fault, KeyError, TypeError, ValueError) as error:
                    raise Fault(f"message {position}: {error}") from error
    finally:
        await connection.close()
    return log.summary()


def main(arguments):
    if len(arguments) not in (4, 5, 6):
        sys.exit(__doc__)
    try:
        print(json.dumps(asyncio.run(read(*arguments))))
    except Fault as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main(sys.argv[1:])
