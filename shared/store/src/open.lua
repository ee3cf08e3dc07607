-- open: a process opens the namespace, at its start and again after its connection has failed.
-- One script, and the first that a process runs on a server: when another server answers than
-- before, after a restart or a failover, Redis may have lost writes. Then numbers and tokens go on
-- far beyond those that were given and lost, so that none is given twice.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  format  int     of the keys that this build reads and writes
-- Answers  {'open'}
--          {'other_format', format}  the keys have this format; '0' is one of before formats had
--                                    numbers; nothing is written
-- flags: allow-oom

local wanted = ARGV[1]
local known = call('HMGET', root .. 'store', 'format', 'server')
-- Builds of before have this key, from their first queue on.
local format = known[1] or (call('EXISTS', root .. 'queues') == 1 and '0') or wanted
if format ~= wanted then return { 'other_format', format } end
local server = string.match(call('INFO', 'server'), 'run_id:(%w+)')
if known[2] == server then return { 'open' } end

if known[2] then
  -- More than a failover can lose.
  local skipped = 1000000
  call('INCRBY', root .. 'number', skipped)
  call('INCRBY', root .. 'token', skipped)
end
call('HSET', root .. 'store', 'format', wanted, 'server', server)
return { 'open' }
