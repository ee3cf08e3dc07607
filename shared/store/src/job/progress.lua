-- progress: records how far a running job is, with the token of its claim.
-- One script, so that a run that has lost its claim cannot overwrite the progress of the next one.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  id        string  the job
-- ARGV[2]  token     int     of the claim
-- ARGV[3]  progress  JSON    any value
-- Answers  {'ok'}     recorded
--          {'stale'}  the token is not the job's, or the run is over; nothing is written
-- flags: allow-oom
-- include: read_job, job_status, emit, job_keys

local job = read_job(ARGV[1])
if not job or job.token ~= ARGV[2] or not is_running(job) then return { 'stale' } end

call('HSET', key_job(ARGV[1]), 'progress', ARGV[3])
emit('job', ARGV[1], 'number', job.number, 'action', job.action, 'progress', ARGV[3])
return { 'ok' }
