-- set_permits: how many may hold a lock at once; an action's or a class's own lock is its limit.
-- One script, so that those in line whose turn it is by then are woken. What is held stays held, also when it is more.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  name     string  of the lock; `action:<action>:*` is every lock of the action's keys
-- ARGV[2]  permits  int     at least 1, or '' for what it has when nothing is said: 1, and no limit for an action or a class
-- Answers  {'set', permits}  or '' for no limit

local name = ARGV[1]
if ARGV[2] == '' then
  call('HDEL', root .. 'permits', name)
else
  call('HSET', root .. 'permits', name, ARGV[2])
end
local now = now_ms()
if string.match(name, ':%*$') then
  -- Those of single keys are woken by the ticker.
  local prefix = string.sub(name, 1, -2)
  for _, line in ipairs(call('SMEMBERS', root .. 'lines')) do
    if string.sub(line, 1, #prefix) == prefix then call('ZADD', root .. 'turns', text(now), line) end
  end
else
  wake(name, now)
end
refill(now)
emit_lock(name, 'permits', ARGV[2])
local all = permits(name)
return { 'set', all == math.huge and '' or text(all) }
