-- pause: an action or a class is paused or resumed. While it is paused, none of its jobs starts;
-- they join its wait queue. Jobs that run go on.
-- One script, so that the jobs in the wait queue are woken in the step that resumes it.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  `action:<action>` or `class:<class>`
-- ARGV[2]  on    string  '1' to pause, '' to resume
-- Answers  {'paused'}   also when it was before
--          {'resumed'}  also when it was not paused
-- flags: allow-oom
-- include: wake_waiters, withdraw_offer, write_changes, emit, clock

local name, on, now = ARGV[1], ARGV[2] == '1', now_ms()
local changed = call(on and 'SADD' or 'SREM', root .. 'paused', name)
if changed == 1 then emit('lock', name, 'change', 'paused', 'value', on and 'true' or 'false') end
if not on then wake_waiters(name, now) end
refill_offers(now)
write_changes()
return { on and 'paused' or 'resumed' }
