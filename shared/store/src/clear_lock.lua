-- clear_lock: a lock is taken from all who hold it, because somebody says so; the next in line are woken.
-- One script, so that an end that comes late frees nothing that is another's by then. Those who held it go on running:
-- what the lock protects can tell them by their tokens.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the lock
-- Answers  {'cleared', id…}  who held it; none when it was free, or there is no such lock

local name = ARGV[1]
local holders = call('HKEYS', key_lock(name))
if #holders > 0 then
  call('DEL', key_lock(name))
  call('HDEL', root .. 'held', name)
  emit_lock(name, 'cleared', table.concat(holders, ' '))
  local now = now_ms()
  wake(name, now)
  refill(now)
end
return { 'cleared', unpack(holders) }
