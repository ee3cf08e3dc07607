-- begin_bulk: stores a bulk operation, which API processes run in steps.
-- One script, so that two operations do not take the last place, and so that the number of the
-- newest job, after which the operation touches none, is read in the step that creates it.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  id    string  for the operation
-- ARGV[2]  spec  string  what it does, as JSON
-- ARGV[3]  most  number  of operations that are kept
-- Answers  {'begun'}
--          {'too_many_operations'}  as many are running; nothing is written
-- include: bulk_keys, clock, digits

local id, most, now = ARGV[1], tonumber(ARGV[3]), now_ms()
local all = call('ZRANGE', root .. 'bulk', 0, -1)
local expired, ended = {}, {}
for _, one in ipairs(all) do
  local state = call('HGET', key_bulk(one), 'state')
  if not state then expired[#expired + 1] = one end
  if state and state ~= 'running' then ended[#ended + 1] = one end
end
local is_full = #all - #expired >= most
if is_full and #ended == 0 then return { 'too_many_operations' } end

for _, one in ipairs(expired) do call('ZREM', root .. 'bulk', one) end
if is_full then
  call('ZREM', root .. 'bulk', ended[1])
  call('DEL', key_bulk(ended[1]))
end
call('HSET', key_bulk(id), 'spec', ARGV[2], 'state', 'running', 'createdAt', digits(now),
  'lastNumber', call('GET', root .. 'number') or '0')
call('ZADD', root .. 'bulk', now, id)
call('SADD', root .. 'bulk:running', id)
return { 'begun' }
