-- schedule_job: a job that waits for nothing but its time and a worker.
-- include: offer, member_of

local function schedule_job(id, job, now)
  if tonumber(job.scheduledAt) > now then
    call('ZADD', root .. 'due', job.scheduledAt, member_of(id, job))
  else
    offer(id, job, now)
  end
end
