-- granted: the waiters that a lock is granted to: the first in its wait queue that fit, one after
-- the other, into the permits that are free. A waiter that needs more permits than exist holds up
-- no other. A waiter that does not use its grant, because no worker fits it, loses its place after
-- grant_ms; the zset `grants` has when to check a lock.
-- include: lock_keys, job_keys, member_of, parse_needs, permits_of, permits_held

local most_granted, most_walked, grant_ms = 16, 64, 2000

local function need_of(id, name)
  for _, lock in ipairs(parse_needs(call('HGET', key_job(id), 'locks'))) do
    if lock.name == name then return lock.need end
  end
  return 1
end

-- A list of ids, which is also a set: granted(name)[id].
local function granted(name)
  local all, found = permits_of(name), {}
  local left = all - permits_held(name)
  for _, member in ipairs(call('ZRANGE', key_waiters(name), 0, most_walked - 1)) do
    local id = id_of(member)
    local need = need_of(id, name)
    if need <= all then
      if need > left or #found == most_granted then break end
      left = left - need
      found[#found + 1] = id
      found[id] = true
    end
  end
  return found
end
