#!/bin/sh
# Starts the Redis of a pod: as the primary that two of the three sentinels name, or as its replica.
set -eu
named() {
  for pod in redis-0 redis-1 redis-2; do
    timeout 2 redis-cli -h "$pod.redis" -p 26379 sentinel get-master-addr-by-name jobs 2>/dev/null | head -n 1 || true
  done | sort | uniq -c | sort -rn | head -n 1
}
count=0
while [ "$count" -lt 2 ]; do
  set -- $(named)
  count=${1:-0} primary=${2:-}
  [ "$count" -ge 2 ] || sleep 1
done
password=$(cat /run/secrets/redis/redis-password)
set -- /run/secrets/redis/redis.conf --dir /data --save "" --appendonly yes --appendfsync always \
  --maxmemory-policy noeviction --maxmemory 2gb --hash-max-listpack-value 1024 \
  --masterauth "$password" --replica-announce-ip "$HOSTNAME.redis" \
  --min-replicas-to-write 1 --min-replicas-max-lag 10
if [ "$primary" != "$HOSTNAME.redis" ]; then
  set -- "$@" --replicaof "$primary" 6379
fi
exec redis-server "$@"
