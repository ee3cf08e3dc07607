-- lose_run: ends a run that its worker does not carry on: running -> worker_dead, with a follow-up
-- unless the job allows none; cancel_request -> cancel.
-- include: follow_up, end_run, job_keys

-- How many lost runs in a row a job survives.
local max_crashes = 3

local function lose_run(id, job, new_id, why, now)
  if job.status == 'cancel_request' then return end_run(id, job, 'cancel', {}, now) end
  local fields = { 'exception', '{"type":"WorkerDead","message":"' .. why .. '"}' }
  if job.crashes < max_crashes and call('HGET', key_job(id), 'onWorkerLost') ~= 'fail' then
    fields[3], fields[4] = 'followUpID', new_id
    local changes = { retriesLeft = job.retriesLeft, crashes = job.crashes + 1, delay_ms = 0 }
    follow_up(id, job, new_id, changes, now)
  end
  end_run(id, job, 'worker_dead', fields, now)
end
