-- create_firing: the job of a firing; nothing when it exists already. False when it can have no
-- queue: the namespace has as many as it may have, or the job needs more than a class can name.
-- include: route, create_job, job_keys, cron_keys, cron_job_keys

local function create_firing(name, firing, now)
  local job = firing.job
  if call('EXISTS', key_job(job.id)) == 1 then return true end
  if not job.fields.class then return false end
  if open_queues({ job.fields }, now) then return false end

  job.fields.cron = name
  create_job(job.id, job.fields, job.spec, now)
  call('SADD', key_cron_jobs(name), job.id)
  call('HINCRBY', key_cron(name), 'fired', 1)
  call('HSET', key_cron(name), 'lastRun', firing.tick, 'lastJobID', job.id)
  return true
end
