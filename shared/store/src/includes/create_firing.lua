-- create_firing: the job of a firing; nothing when it exists already. Returns what is missing when
-- it can have none: `no_queue`, the namespace has as many queues as it may have, or the job needs
-- more than a class can name; or `quota`, as many jobs of the cron wait as may, with the answer
-- that says so.
-- include: route, create_job, exceeded_quota, job_keys, cron_keys, cron_job_keys

local function create_firing(name, firing, now)
  local job = firing.job
  if call('EXISTS', key_job(job.id)) == 1 then return nil end
  if not job.fields.class then return 'no_queue' end
  local exceeded = exceeded_quota(job.fields.owner or '', 1, #job.spec)
  if exceeded then return 'quota', exceeded end
  if open_queues({ job.fields }, now) then return 'no_queue' end

  job.fields.cron = name
  create_job(job.id, job.fields, job.spec, now)
  call('SADD', key_cron_jobs(name), job.id)
  call('HINCRBY', key_cron(name), 'fired', 1)
  call('HSET', key_cron(name), 'lastRun', firing.tick, 'lastJobID', job.id)
end
