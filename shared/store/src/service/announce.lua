-- announce: records that a service runs, and forgets the services that are silent.
-- One script, so that the clock of Redis dates the record, and so that services stay visible while
-- Redis is full.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  service  string  `<kind>:<id>`
-- ARGV[2]  about    string  what it reports of itself, as JSON
-- ARGV[3]  silence  number  milliseconds after which a service is forgotten
-- Answers  {'announced'}
-- flags: allow-oom
-- include: clock, digits

local services, now, silence = root .. 'services', now_ms(), tonumber(ARGV[3])
local silent = {}
local known = call('HGETALL', services)
for at = 1, #known, 2 do
  -- After the clock was set back, a time in the future is as old as it is ahead.
  local seen = tonumber(string.match(known[at + 1], '^%d+')) or 0
  if math.abs(now - seen) > silence and #silent < 1000 then silent[#silent + 1] = known[at] end
end

if #silent > 0 then call('HDEL', services, unpack(silent)) end
call('HSET', services, ARGV[1], digits(now) .. ' ' .. ARGV[2])
call('PEXPIRE', services, silence)
return { 'announced' }
