-- stop_job: a waiting job is cancelled at once; the worker of a running job is asked to stop it.
-- `fields` (name, value, …) say who asked and why.
-- include: end_waiting, move_job, job_keys, send_heartbeat_hint, digits

local function stop_job(id, job, fields, now)
  if job.status == 'waiting' then return end_waiting(id, job, 'cancel', fields, now) end
  local moment = digits(now)
  call('HSET', key_job(id), 'status', 'cancel_request', 'lastUpdated', moment, 'cancelAt', moment,
    unpack(fields))
  move_job(id, job, 'cancel_request', job.worker, job.token)
  send_heartbeat_hint(job.worker)
end
