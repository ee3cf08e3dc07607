-- schedule_job: a job that waits for nothing but its time and a worker.
-- include: offer

local function schedule_job(id, job, now)
  if tonumber(job.scheduledAt) > now then
    call('ZADD', root .. 'due', job.scheduledAt, id)
  else
    offer(id, job, now)
  end
end
