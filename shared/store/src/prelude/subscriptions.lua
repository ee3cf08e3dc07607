-- subscriptions_prelude: joined behind the prelude in front of every script about subscriptions: keys, and where the stream of
-- events is. A subscription's hash says what it is and how it goes; `subscriptions` has all names, `subscriptions:heard` the place in the
-- stream up to which it is read for them, which is there while there are any.

local function key_subscription(name) return root .. 'subscription:' .. name end
-- Messages of a subscription that may not be delivered yet: the first job of each.
local function key_deliveries(name) return root .. 'deliveries:' .. name end

-- The place of the last event; who is to hear nothing of before now hears what comes after it.
local function last_event()
  local last = call('XREVRANGE', root .. 'events', '+', '-', 'COUNT', 1)[1]
  return last and last[1] or '0-0'
end
