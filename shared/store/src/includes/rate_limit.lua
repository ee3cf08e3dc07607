-- rate_limit: how many starts a rate limit allows now. A limit is a lock `rate:<key>` whose permits
-- are restored over time, and not by the end of a job, by GCRA, the generic cell rate algorithm: the
-- sorted set `rates` has the time at which all permits of a key are restored. Each start moves it by
-- one interval. A key without a time has all permits.
-- The hash `limits` has `interval burst …` by name: the ms per start, and how many starts may happen
-- at once. A calendar limit, see calendar_limit.lua, has `calendar quota window zone ends…` instead.
-- A key without a limit of its own has the limit of the longest matching name that ends in a star;
-- `limits:patterns` has these names.
-- include: calendar_limit, members, clock

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

-- The limit of a key; false when it is not limited. Only a calendar limit has a window.
function rate.limit_of(key)
  if rate.known[key] == nil then
    local text = call('HGET', root .. 'limits', key) or rate.text_of_pattern(key)
    local kind, burst, rest = string.match(text or '', '^(%S+) (%S+) (.*)$')
    rate.known[key] = kind and { interval = tonumber(kind), burst = tonumber(burst) } or false
    if kind == 'calendar' then
      rate.known[key].window, rate.known[key].ends = string.match(rest, '^(%S+ %S+) (.*)$')
    end
  end
  return rate.known[key]
end

-- When all permits of a key are restored.
function rate.restored_at(key)
  return math.max(tonumber(score_of(root .. 'rates', key) or 0), now_ms())
end

-- How many permits of a limited key are used up.
function rate.used(key)
  local limit = rate.limit_of(key)
  if limit.window then return calendar.used(key, limit) end
  return math.ceil((rate.restored_at(key) - now_ms()) / limit.interval - 1e-6)
end

-- When this number of permits is available, in whole ms.
function rate.available_at(key, count)
  local limit = rate.limit_of(key)
  if limit.window then return calendar.available_at(key, limit, count) end
  return math.ceil(rate.restored_at(key) + (count - limit.burst) * limit.interval - 1e-6)
end

function rate.use(key, count)
  local limit = rate.limit_of(key)
  if not limit then return end
  if limit.window then return calendar.use(key, limit, count) end
  local at = rate.restored_at(key) + count * limit.interval
  add_member(root .. 'rates', string.format('%.3f', at), key)
end

-- Allows no start for some ms, then one, and more at the rate of the limit. Returns false if a later
-- time was requested before.
function rate.hold_back(key, ms)
  local limit = rate.limit_of(key)
  if limit.window then return calendar.hold_back(key, limit, now_ms() + ms) end
  local at = now_ms() + ms + (limit.burst - 1) * limit.interval
  if at <= rate.restored_at(key) then return false end
  add_member(root .. 'rates', string.format('%.3f', at), key)
  return true
end
