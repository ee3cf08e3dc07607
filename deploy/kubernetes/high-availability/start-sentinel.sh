#!/bin/sh
# Starts the sentinel of a pod. What it learns is kept on the volume, so it knows the primary after a restart of all pods.
set -eu
conf=/data/sentinel.conf
if [ ! -s "$conf" ]; then
  cat >"$conf" <<END
port 26379
dir /tmp
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $HOSTNAME.redis
sentinel monitor jobs redis-0.redis 6379 2
sentinel auth-pass jobs $(cat /run/secrets/redis/redis-password)
sentinel down-after-milliseconds jobs 3000
sentinel failover-timeout jobs 30000
END
fi
# A sentinel does not start with a name that cannot be resolved yet.
until getent hosts redis-0.redis >/dev/null; do sleep 1; done
exec redis-server "$conf" --sentinel
