-- last_event: the id of the last event. Whoever begins to listen receives what comes after it.

local function last_event()
  local last = call('XREVRANGE', root .. 'events', '+', '-', 'COUNT', 1)[1]
  return last and last[1] or '0-0'
end
