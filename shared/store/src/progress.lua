-- progress: a running job says how far it is, with its token.
-- One script, so that a run that lost its claim cannot overwrite what the next one says.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  id        string  the job
-- ARGV[2]  token     int     of the claim
-- ARGV[3]  progress  JSON    what it says
-- Answers  {'ok'}     recorded
--          {'stale'}  the token is not the job's, or the run is over; nothing is written

local job = record(ARGV[1])
if not job or job.token ~= ARGV[2] then return { 'stale' } end
if job.status ~= 'running' and job.status ~= 'cancel_request' then return { 'stale' } end

call('HSET', key_job(ARGV[1]), 'progress', ARGV[3])
call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'job', ARGV[1], 'number', job.number,
  'action', job.action, 'progress', ARGV[3])
return { 'ok' }
