-- hold_back: lets no job start under a key of a rate limit for some time, because the service that
-- the jobs call has requested it, for example by `Retry-After`. Afterwards one start is allowed, then
-- more at the rate of the limit, or as many as are left in the window. A later time that was requested before is kept.
-- One script, so that it does not undo the start of a job.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  key   string  the key
-- ARGV[2]  ms    int     how long from now
-- Answers  {'held_back'}
--          {'not_limited'}  the key has no limit; nothing is written
-- flags: allow-oom
-- include: rate_limit, note_next_start, write_changes

local key = ARGV[1]
if not rate.limit_of(key) then return { 'not_limited' } end
if rate.hold_back(key, tonumber(ARGV[2])) then
  call('ZREM', root .. 'grants', 'rate:' .. key)
  note_next_start('rate:' .. key)
end
write_changes()
return { 'held_back' }
