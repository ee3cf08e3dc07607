-- set_permits: how many may hold a lock at once; an action's or a class's own lock is its limit.
-- One script, so that those in line whose turn it is by then are woken. What is held stays held, also when it is more.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  name     string  of the lock; `action:<action>:*` is every lock of the action's keys
-- ARGV[2]  permits  int     at least 1, or '' for what it has when nothing is said: 1, and no limit for an action or a class
-- Answers  {'set', permits}  or '' for no limit

local name, now = ARGV[1], now_ms()
set_permits(name, ARGV[2], now)
refill(now)
local all = permits(name)
return { 'set', all == math.huge and '' or text(all) }
