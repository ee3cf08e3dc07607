-- schedule_job: a job that waits for nothing but its time and a worker. `created` is when it was
-- created, if the caller knows. A job that was due then is ready, also when the clock was set back.
-- include: offer, job_keys, member_of, members

local function schedule_job(id, job, now, created)
  local at = tonumber(job.scheduledAt)
  if at > now and at > tonumber(created or call('HGET', key_job(id), 'createdAt')) then
    add_member(root .. 'due', job.scheduledAt, member_of(id, job))
  else
    offer(id, job, now)
  end
end
