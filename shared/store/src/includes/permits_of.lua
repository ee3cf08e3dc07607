-- permits_of: how many permits a lock has. The limits and pauses of an action or a class are locks
-- too: `action:scan`, `class:cpu=2`; `action:scan:*` sets the permits of each key of an action. So is
-- a rate limit: `rate:mail`.
-- include: rate_limit

local known_permits = {}

-- Reads the limits and pauses of an action and a class with one command each.
local function read_limits(names)
  if known_permits[names[1]] and known_permits[names[2]] then return end
  local limits = call('HMGET', root .. 'permits', unpack(names))
  local paused = call('SMISMEMBER', root .. 'paused', unpack(names))
  for i, name in ipairs(names) do
    known_permits[name] = paused[i] == 1 and 0 or tonumber(limits[i] or math.huge)
  end
end

-- math.huge is no limit.
local function permits_of(name)
  if known_permits[name] then return known_permits[name] end
  local key = rate.key_of(name)
  if key then return rate.limit_of(key) and rate.limit_of(key).burst or math.huge end
  local limit = call('HGET', root .. 'permits', name)
  local action = string.match(name, '^(action:[^:]+):')
  if not limit and action then limit = call('HGET', root .. 'permits', action .. ':*') end
  local reserved = string.match(name, '^action:') or string.match(name, '^class:')
  local all = limit and tonumber(limit) or reserved and math.huge or 1
  if reserved and call('SISMEMBER', root .. 'paused', name) == 1 then all = 0 end
  known_permits[name] = all
  return all
end
