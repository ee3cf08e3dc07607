-- subscription_keys: keys of one subscription. `subscriptions` holds all names;
-- `subscriptions:cursor` is the last event that was read for them, and exists while there are any.

local function key_subscription(name) return root .. 'subscription:' .. name end
-- Messages that are not delivered yet: the first job of each.
local function key_deliveries(name) return root .. 'deliveries:' .. name end
