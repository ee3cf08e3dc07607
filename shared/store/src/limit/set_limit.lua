-- set_limit: sets a rate limit, or deletes it. It applies at once, also to jobs that wait for it.
-- One script, so that the jobs that may start now are woken in the step that allows it.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  name      string  the key that is limited, or the first part of its keys and a star
-- ARGV[2]  limit     string  as rate_limit.lua reads it; '' deletes the limit
-- ARGV[3]  value     string  the limit as the event has it
-- ARGV[4]  limits    int     how many limits there may be
-- ARGV[5]  patterns  int     how many of them may end in a star
-- Answers  {'set'}
--          {'deleted'}
--          {'no_such_limit'}  there is none to delete; nothing is written
--          {'too_many'}       there are too many limits, or too many with a star; nothing is written
-- flags: allow-oom
-- include: rate_limit, granted, wake_waiters, withdraw_offer, write_changes, members, emit, clock
-- include: digits

local name, limit, now = ARGV[1], ARGV[2], now_ms()
local prefix = string.match(name, '^(.*)%*$')
local exists = call('HEXISTS', root .. 'limits', name) == 1
if limit == '' then
  if not exists then return { 'no_such_limit' } end
  call('HDEL', root .. 'limits', name)
  if prefix then call('SREM', root .. 'limits:patterns', name) end
  emit('lock', 'rate:' .. name, 'change', 'rate', 'value', '')
else
  if not exists and (call('HLEN', root .. 'limits') >= tonumber(ARGV[4])
    or prefix and call('SCARD', root .. 'limits:patterns') >= tonumber(ARGV[5])) then
    return { 'too_many' }
  end
  call('HSET', root .. 'limits', name, limit)
  if prefix then call('SADD', root .. 'limits:patterns', name) end
  emit('lock', 'rate:' .. name, 'change', 'rate', 'value', ARGV[3])
end
rate.known, known_granted = {}, {}
if prefix then
  -- The ticker wakes the waiters of its keys.
  for _, lock in ipairs(call('SMEMBERS', root .. 'contended')) do
    if string.sub(lock, 1, #prefix + 5) == 'rate:' .. prefix then
      add_member(root .. 'grants', digits(now), lock)
    end
  end
else
  wake_waiters('rate:' .. name, now)
end
refill_offers(now)
write_changes()
return { limit == '' and 'deleted' or 'set' }
