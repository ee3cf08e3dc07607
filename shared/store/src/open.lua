-- open: a process opens the namespace, at its start and again after its connection has failed.
-- One script, and the first that a process runs on a server: when another server answers than
-- before, after a restart or a failover, Redis may have lost writes. Then numbers and tokens go on
-- far beyond those that were given and lost, so that none is given twice.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  format  int     of the keys that this build reads and writes
-- Answers  {'open'}
--          {'other_format', format}  the keys have this format; '0' predates format
--                                    numbers; nothing is written
-- flags: allow-oom
-- include: job_keys

local wanted = ARGV[1]
local known = call('HMGET', root .. 'store', 'format', 'server')
local function has_jobs()
  for _, status in ipairs({ 'waiting', 'running', 'cancel_request' }) do
    if call('EXISTS', key_status(status)) == 1 then return true end
  end
  -- Only builds whose keys had other names have this one.
  return call('EXISTS', root .. 'queues') == 1
end
-- What has ended, crons, subscriptions and settings of before are read as they are.
local format = known[1] or (has_jobs() and '0') or wanted
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
