-- pause: an action or a class is paused or resumed: while it is paused none of its jobs is started. They wait in line, what
-- runs goes on.
-- One script, so that those in line are woken with the resume.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  `action:<action>` or `class:<class>`
-- ARGV[2]  on    string  '1' to pause, '' to resume
-- Answers  {'paused'}, {'resumed'}  also when it was so before

local name, on = ARGV[1], ARGV[2] == '1'
local changed = call(on and 'SADD' or 'SREM', root .. 'paused', name)
local now = now_ms()
if changed == 1 then emit_lock(name, 'paused', on and 'true' or 'false') end
if not on then wake(name, now) end
refill(now)
return { on and 'paused' or 'resumed' }
