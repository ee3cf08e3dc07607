-- calendar_limit: how many starts a calendar limit allows now: a number in each window, such as a day
-- in Europe/Berlin. Redis knows no time zones, so a limit has the ends of its next windows, which
-- the scheduler renews.
-- The hash `calendar:used` has `used ends held window` by key: how many jobs have started, until when
-- they count, until when a service has requested a pause, and in which windows they were counted.
-- The sorted set `calendar:ends` has when that is over.
-- include: members, clock, digits

local calendar = { known = {} }

-- When the window of a moment ends. After the last known end, starts count for twice the length of
-- the last window, which is longer than any window that contains them.
function calendar.window_end(limit, at)
  local before, last = 0, 0
  for word in string.gmatch(limit.ends, '%d+') do
    before, last = last, tonumber(word)
    if last > at then return last end
  end
  return at + 2 * (last - before)
end

function calendar.state_of(key, limit)
  local state = calendar.known[key]
  if not state then
    local text = call('HGET', root .. 'calendar:used', key)
    local used, ends, held, window = string.match(text or '', '^(%d+) (%d+) (%d+) (.+)$')
    state = {
      used = tonumber(used or 0), ends = tonumber(ends or 0), held = tonumber(held or 0),
      window = window,
    }
    calendar.known[key] = state
  end
  if state.window ~= limit.window then
    state.used, state.ends, state.window = 0, 0, limit.window
  end
  return state
end

function calendar.used_at(state, at) return state.ends > at and state.used or 0 end

-- How many starts are used up: all of them during a pause.
function calendar.used(key, limit)
  local state = calendar.state_of(key, limit)
  if state.held > now_ms() then return math.max(limit.burst, calendar.used_at(state, now_ms())) end
  return calendar.used_at(state, now_ms())
end

-- When this number of starts is available.
function calendar.available_at(key, limit, count)
  local state = calendar.state_of(key, limit)
  local at = math.max(state.held, now_ms())
  if count <= limit.burst - calendar.used_at(state, at) then return at end
  return math.max(calendar.window_end(limit, at), state.ends)
end

function calendar.write(key, state)
  local text = { digits(state.used), digits(state.ends), digits(state.held), state.window }
  call('HSET', root .. 'calendar:used', key, table.concat(text, ' '))
  add_member(root .. 'calendar:ends', digits(math.max(state.ends, state.held)), key)
end

function calendar.use(key, limit, count)
  local state = calendar.state_of(key, limit)
  state.used = calendar.used_at(state, now_ms()) + count
  state.ends = calendar.window_end(limit, now_ms())
  calendar.write(key, state)
end

-- Allows no start until then. Returns false if that was requested before.
function calendar.hold_back(key, limit, at)
  local state = calendar.state_of(key, limit)
  if at <= state.held then return false end
  state.held = at
  calendar.write(key, state)
  return true
end
