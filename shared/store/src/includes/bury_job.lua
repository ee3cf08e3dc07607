-- bury_job: removes a job and leaves a tombstone for a while, so that its id is not used again and
-- a reader sees that the job was deleted.
-- include: remove_job, job_keys, emit_job, digits, retention

local function bury_job(id, job, now)
  local created = call('HGET', key_job(id), 'createdAt')
  remove_job(id, job)
  local moment = digits(now)
  call('HSET', key_job(id), 'status', 'deleted', 'number', job.number, 'action', job.action,
    'class', job.class, 'scheduledAt', job.scheduledAt, 'createdAt', created,
    'lastUpdated', moment, 'finishedAt', moment)
  call('EXPIRE', key_job(id), id_reserved_s)
  emit_job(id, job.number, job.action, 'deleted', job.worker or '', job.token or '')
end
