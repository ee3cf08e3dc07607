-- checkpoint: keeps the state from which the next run of a job continues, with the token of the
-- claim.
-- One script, so that a run that has lost its claim cannot overwrite the checkpoint of the next
-- one. The checkpoint has a key of its own, because the record should stay small. The field
-- `checkpointed` of the record says that there is one, so a job without one costs no read.
-- KEYS[1]  root        string  the namespace
-- ARGV[1]  id          string  the job
-- ARGV[2]  token       int     of the claim
-- ARGV[3]  checkpoint  JSON    any value; 'null' removes the checkpoint
-- Answers  {'ok'}     recorded
--          {'stale'}  the token is not the job's, or the run is over; nothing is written
-- flags: allow-oom
-- include: job_keys, checkpoint_keys, job_status

local id, checkpoint = ARGV[1], ARGV[3]
local job = call('HMGET', key_job(id), 'status', 'token', 'checkpointed')
if job[2] ~= ARGV[2] or not is_running({ status = job[1] }) then return { 'stale' } end

if checkpoint ~= 'null' then
  call('SET', key_checkpoint(id), checkpoint)
  if not job[3] then call('HSET', key_job(id), 'checkpointed', 1) end
elseif job[3] then
  call('UNLINK', key_checkpoint(id))
  call('HDEL', key_job(id), 'checkpointed')
end
return { 'ok' }
