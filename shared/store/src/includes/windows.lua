-- windows: the sizes of the windows of queues, read once.
-- include: offer_window

local windows = {}

-- How many jobs of a fairness group without a key are offered in a queue, if it is the only one.
local function window_of(queue)
  windows[queue] = windows[queue]
    or tonumber(call('HGET', root .. 'routing', 'window:' .. queue) or offer_window)
  return windows[queue]
end
