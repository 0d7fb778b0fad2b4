#!/bin/sh
# Talks with Redis by redis-cli, at the local port that OUTRIDER_UPSTREAM_REDIS names.
host=${OUTRIDER_UPSTREAM_REDIS%:*} port=${OUTRIDER_UPSTREAM_REDIS#*:}
heard=$(mktemp)

redis() {
  redis-cli -h "$host" -p "$port" "$@"
}

echo "one call: $(redis SET cup 350), $(redis GET cup)"

redis DEL visits >/dev/null
echo "many on one connection: $(seq 1000 | sed 's/.*/INCR visits/' | redis | tail -n 1)"

redis-cli -h "$host" -p "$port" SUBSCRIBE news >"$heard" &
subscriber=$!
until [ "$(redis PUBLISH news 'tea is ready')" = 1 ]; do sleep 0.1; done
until grep -q tea "$heard"; do sleep 0.1; done
echo "pushed: $(tail -n 1 "$heard")"
kill "$subscriber"
rm "$heard"
