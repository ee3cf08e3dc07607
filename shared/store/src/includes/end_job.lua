-- end_job: ends a job, whatever its status was. `fields` (name, value, …) say how it ended. Its
-- follow-up, if it has one, was written before.
-- include: move_job, close_job, bury_job, job_keys, digits

local function end_job(id, job, to, fields, now)
  local moment = digits(now)
  call('HSET', key_job(id), 'status', to, 'lastUpdated', moment, 'finishedAt', moment,
    unpack(fields))
  if job.uniqueKey and call('GET', key_unique(job.uniqueKey)) == id then
    call('DEL', key_unique(job.uniqueKey))
  end
  move_job(id, job, to, job.worker or '', job.token or '')
  if not job.followUpID then close_job(id, job, to) end
  if job.deleting then bury_job(id, job, now) end
end
