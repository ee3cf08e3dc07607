-- clock: the one clock that decides leases and due times, read once per script.

local script_began

local function now_ms()
  if not script_began then
    local time = call('TIME')
    script_began = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return script_began
end
