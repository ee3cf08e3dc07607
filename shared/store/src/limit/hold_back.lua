-- hold_back: lets no job start under a key of a rate limit for some time, because the service that
-- the jobs call has requested it, for example by `Retry-After`. Afterwards one start is allowed, then
-- more at the rate of the limit. A later time that was requested before is kept.
-- One script, so that it does not undo the start of a job.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  key   string  the key
-- ARGV[2]  ms    int     how long from now
-- Answers  {'held_back'}
--          {'not_limited'}  the key has no limit; nothing is written
-- flags: allow-oom
-- include: rate_limit, note_next_start, write_changes, members, clock

local key = ARGV[1]
local limit = rate.limit_of(key)
if not limit then return { 'not_limited' } end
local at = now_ms() + tonumber(ARGV[2]) + (limit.burst - 1) * limit.interval
if at > rate.restored_at(key) then
  add_member(root .. 'rates', string.format('%.3f', at), key)
  call('ZREM', root .. 'grants', 'rate:' .. key)
  note_next_start('rate:' .. key)
end
write_changes()
return { 'held_back' }
