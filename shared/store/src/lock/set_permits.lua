-- set_permits: how many jobs may hold a lock at once. The lock of an action or a class is its
-- limit.
-- One script, so that waiters that are granted the lock by this are woken. What is held stays held,
-- even when it is more than the new number.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  name     string  of the lock; `action:<action>:*` for every lock of the action's keys
-- ARGV[2]  permits  int     at least 1, or '' for the default: 1, and no limit for an action or a
--                           class
-- Answers  {'set', permits}  '' for no limit
-- include: change_permits, permits_of, withdraw_offer, write_changes, clock, digits

local name, now = ARGV[1], now_ms()
change_permits(name, ARGV[2], now)
refill_offers(now)
write_changes()
local all = permits_of(name)
return { 'set', all == math.huge and '' or digits(all) }
