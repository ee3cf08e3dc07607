-- clamp_times: instants that are never in the future, and lie there since the clock was set back ->
-- now. So leases end, lost offers are found and unused grants expire without waiting until the
-- clock has caught up. Repeating it changes nothing.
-- One script, so that a lease is the same in all places that name it.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  lease  int     length of a lease in ms
-- ARGV[2]  max    int     how many instants to change at most
-- Answers  {'clamped', count}  call again while it is not 0
-- flags: allow-oom
-- include: granted, rate_limit, calendar_limit, members, queue_keys, worker_keys, clock, digits

local lease, left, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms()
local most = left

-- The members of a sorted set that stand after `latest` move there, and keep their order.
local function clamp(key, latest)
  local late = call('ZRANGE', key, '(' .. digits(latest), '+inf', 'BYSCORE', 'LIMIT', 0, left)
  for _, member in ipairs(late) do call('ZADD', key, digits(latest), member) end
  left = left - #late
  return late
end

local expiration = digits(now + lease)
for _, worker in ipairs(clamp(root .. 'leases', now + lease)) do
  call('HSET', key_worker(worker), 'heartbeatExpiration', expiration)
  call('ZADD', root .. 'workers', expiration, worker)
end
clamp(root .. 'grants', now + grant_ms)
clamp(root .. 'batches', now)
-- Keys of rate limits that have used up more than all their permits.
local used = call('ZRANGE', root .. 'rates', digits(now), '+inf', 'BYSCORE', 'LIMIT', 0, left)
for _, key in ipairs(used) do
  local limit = rate.limit_of(key)
  local latest = now + (limit and limit.interval and limit.burst * limit.interval or 0)
  if rate.restored_at(key) > latest then
    call('ZADD', root .. 'rates', digits(latest), key)
    left = left - 1
  end
end
-- Keys of calendar limits whose starts count for longer than the window.
for _, key in ipairs(call('ZRANGE', root .. 'calendar:ends', digits(now), '+inf', 'BYSCORE',
  'LIMIT', 0, left)) do
  local limit = rate.limit_of(key)
  if limit and limit.window then
    local state, latest = calendar.state_of(key, limit), calendar.window_end(limit, now)
    if math.max(state.ends, state.held) > latest then
      state.ends, state.held = math.min(state.ends, latest), math.min(state.held, latest)
      calendar.write(key, state)
      left = left - 1
    end
  end
end
write_members()
-- In which queues jobs are offered and since when, and until when the claimed ones were offered.
for _, key in ipairs({ root .. 'routing', root .. 'claimed_up_to' }) do
  local fields = call('HGETALL', key)
  for i = 1, #fields, 2 do
    local queue = string.match(fields[i], '^queue:(.+)$')
    if queue then clamp(key_ready(queue), now) end
    if tonumber(fields[i + 1]) > now then call('HSET', key, fields[i], digits(now)) end
  end
end
return { 'clamped', digits(most - left) }
