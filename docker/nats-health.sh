#!/bin/sh
# Health of the nats-server in this container: 0 when it serves the log, 1 when it does not.
#
# Out of disk space, nats-server turns JetStream off and leaves it off until it is started again, even when there is
# room. So it is ended here once that is seen twice, and compose starts it anew until there is room.

monitoring="${METAMCP_NATS_MONITORING:-http://127.0.0.1:8222}"

# No answer at all is no 503: a server that starts, or ends, is left alone.
jetstream_is_off() {
    wget --spider -T 2 "$monitoring/healthz?js-enabled-only=true" 2>&1 | grep -q ' 503 '
}

if jetstream_is_off && sleep 1 && jetstream_is_off; then
    echo "JetStream is off: ending nats-server, so that it is started anew"
    kill -s TERM "${METAMCP_NATS_PID:-1}"
    exit 1
fi
wget -q --spider -T 2 "$monitoring/healthz"
