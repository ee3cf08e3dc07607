-- rate_limit: how many starts a rate limit allows now. A limit is a lock `rate:<key>` whose permits
-- are restored over time, and not by the end of a job, by GCRA, the generic cell rate algorithm: the
-- sorted set `rates` has the time at which all permits of a key are restored. Each start moves it by
-- one interval. A key without a time has all permits.
-- The hash `limits` has `interval burst` by name: the ms per start, and how many starts may happen at
-- once. A key without a limit of its own has the limit of the longest matching name that ends in a
-- star; `limits:patterns` has these names.
-- include: members, clock

-- One local, because a function can capture 60 of them. `rate.known` is what this script has read, by
-- key; false when the key is not limited.
local rate = { known = {} }

function rate.key_of(name)
  return string.sub(name, 1, 5) == 'rate:' and string.sub(name, 6) or nil
end

-- The text of the longest pattern that matches.
function rate.text_of_pattern(key)
  local longest
  for _, pattern in ipairs(call('SMEMBERS', root .. 'limits:patterns')) do
    local prefix = string.sub(pattern, 1, -2)
    if string.sub(key, 1, #prefix) == prefix and (not longest or #pattern > #longest) then
      longest = pattern
    end
  end
  return longest and call('HGET', root .. 'limits', longest)
end

-- The interval and the burst of a key; false when it is not limited.
function rate.limit_of(key)
  if rate.known[key] == nil then
    local text = call('HGET', root .. 'limits', key) or rate.text_of_pattern(key)
    local interval, burst = string.match(text or '', '^(%S+) (%S+)')
    rate.known[key] = interval
      and { interval = tonumber(interval), burst = tonumber(burst) } or false
  end
  return rate.known[key]
end

-- When all permits of a key are restored.
function rate.restored_at(key)
  return math.max(tonumber(score_of(root .. 'rates', key) or 0), now_ms())
end

-- How many permits of a limited key are used up.
function rate.used(key)
  return math.ceil((rate.restored_at(key) - now_ms()) / rate.limit_of(key).interval - 1e-6)
end

-- When this number of permits is available, in whole ms.
function rate.available_at(key, count)
  local limit = rate.limit_of(key)
  return math.ceil(rate.restored_at(key) + (count - limit.burst) * limit.interval - 1e-6)
end

function rate.use(key, count)
  local limit = rate.limit_of(key)
  if not limit then return end
  local at = rate.restored_at(key) + count * limit.interval
  add_member(root .. 'rates', string.format('%.3f', at), key)
end
