-- note_next_start: notes in `grants` when a rate limit has permits for its first waiter without a
-- grant. Then the ticker wakes its waiters.
-- include: granted, rate_limit, lock_keys, member_of, digits

local function note_next_start(name)
  local key = rate.key_of(name)
  local limit = key and rate.limit_of(key)
  if not limit then return end
  local found = granted(name)
  -- At the maximum number of grants, a claim by one of their jobs wakes the next waiter.
  if found.next_is_noted or #found == most_granted then return end
  found.next_is_noted = true
  local count = 0
  for _, member in ipairs(call('ZRANGE', key_waiters(name), 0, most_walked - 1)) do
    local id = id_of(member)
    local need = need_of(id, name)
    if need <= limit.burst then
      count = count + need
      if not found[id] then
        local at = digits(rate.available_at(key, count))
        return call('ZADD', root .. 'grants', 'LT', at, name)
      end
    end
  end
end
