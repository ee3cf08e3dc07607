-- follow_up: the job that carries one on, written in the step that ends the earlier one, which it
-- names.
-- include: create_job, job_keys, relation_keys, cron_job_keys, digits

-- The fields beyond those of every record that a follow-up inherits.
local inherited = { 'uniqueKey', 'onWorkerLost', 'backoffBase', 'backoffMax', 'cron',
  'owner', 'fairnessKey', 'locks', 'parentGroup', 'childGroup', 'failedChildren', 'next' }

local function follow_up(id, job, new_id, changes, now)
  local fields = {
    action = job.action, class = job.class, priority = job.priority, retryFromID = id,
    attempt = job.attempt + 1, scheduledAt = digits(now + changes.delay_ms),
  }
  if changes.retriesLeft > 0 then fields.retriesLeft = changes.retriesLeft end
  if changes.crashes > 0 then fields.crashes = changes.crashes end
  for i, value in ipairs(call('HMGET', key_job(id), unpack(inherited))) do
    if value then fields[inherited[i]] = value end
  end
  if fields.cron and call('SREM', key_cron_jobs(fields.cron), id) == 1 then
    call('SADD', key_cron_jobs(fields.cron), new_id)
  end
  -- Jobs that wait for the earlier job now wait for this one.
  if job.next and call('EXISTS', key_dependents(id)) == 1 then
    call('RENAME', key_dependents(id), key_dependents(new_id))
  end
  if job.childGroup then call('HSET', root .. 'parents', job.childGroup, new_id) end
  if job.parentGroup then call('ZREM', key_children(job.parentGroup), id) end
  job.followUpID = new_id
  return create_job(new_id, fields, call('HGET', key_job(id), 'spec'), now)
end
