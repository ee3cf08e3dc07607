-- windows: the window size of each queue, read once per script.
-- include: offer_window

local windows = {}

-- How many jobs of a group without a key may be offered in a queue while it is alone there.
local function window_of(queue)
  windows[queue] = windows[queue]
    or tonumber(call('HGET', root .. 'routing', 'window:' .. queue) or offer_window)
  return windows[queue]
end
