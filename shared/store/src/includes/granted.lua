-- granted: the waiters that a lock is granted to: the first in its wait queue that fit, one after
-- the other, into the permits that are free. A waiter that needs more permits than exist holds up
-- no other. A waiter that does not use its grant, because no worker fits it, loses its place after
-- grant_ms; the zset `grants` has when to check a lock.
-- include: lock_keys, job_keys, member_of, parse_needs, permits_of, permits_held

local most_granted, most_walked, grant_ms = 16, 64, 2000
-- What this script has read: the locks that jobs need, which never change, and to whom locks are
-- granted. Whatever changes that calls forget_granted.
local known_needs, known_granted = {}, {}

local function forget_granted(name) known_granted[name] = nil end

local function need_of(id, name)
  if not known_needs[id] then
    known_needs[id] = {}
    for _, lock in ipairs(parse_needs(call('HGET', key_job(id), 'locks'))) do
      known_needs[id][lock.name] = lock.need
    end
  end
  return known_needs[id][name] or 1
end

-- A list of ids, which is also a set: granted(name)[id].
local function granted(name)
  if known_granted[name] then return known_granted[name] end
  local all, found = permits_of(name), {}
  local left = all - permits_held(name)
  known_granted[name] = found
  if left <= 0 then return found end
  -- The second part is only needed when some in the first need more permits than exist.
  for _, part in ipairs({ { 0, most_granted }, { most_granted + 1, most_walked - 1 } }) do
    local members = call('ZRANGE', key_waiters(name), part[1], part[2])
    for _, member in ipairs(members) do
      local id = id_of(member)
      local need = need_of(id, name)
      if need <= all then
        if need > left or #found == most_granted then return found end
        left = left - need
        found[#found + 1] = id
        found[id] = true
      end
    end
    if #members <= part[2] - part[1] then break end
  end
  return found
end
