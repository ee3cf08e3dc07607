-- permits_held: how many permits of a lock are held, or of a rate limit are used up.
-- include: rate_limit

local function permits_held(name)
  local key = rate.key_of(name)
  if key then return rate.limit_of(key) and rate.used(key) or 0 end
  return tonumber(call('HGET', root .. 'permits:held', name) or 0)
end
