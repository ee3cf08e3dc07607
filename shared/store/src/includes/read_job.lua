-- read_job: the fields of a job's record that a change needs, and what was asked for if that is
-- needed too; nil when there is no such job.
-- include: job_keys

local function read_job(id, with_spec)
  local values = call('HMGET', key_job(id), with_spec and 'spec' or '-', 'status', 'token',
    'number', 'action', 'class', 'priority', 'scheduledAt', 'workerID', 'attempt', 'retriesLeft',
    'crashes', 'uniqueKey', 'expiresAt', 'deleting', 'owner', 'locks', 'holds', 'awaitedLocks',
    'next', 'blockers', 'childGroup', 'parentGroup', 'awaitsChildren', 'followUpID', 'actionQueue',
    'firstID', 'fairnessKey')
  if not values[2] then return nil end
  return {
    status = values[2], token = values[3], number = values[4], action = values[5],
    class = values[6], priority = values[7] or 'normal', scheduledAt = values[8],
    worker = values[9], attempt = tonumber(values[10] or 1),
    retriesLeft = tonumber(values[11] or 0), crashes = tonumber(values[12] or 0),
    uniqueKey = values[13], expiresAt = values[14], deleting = values[15],
    owner = values[16], locks = values[17], holds = values[18],
    awaitedLocks = values[19], next = values[20], blockers = values[21], childGroup = values[22],
    parentGroup = values[23], awaitsChildren = values[24], followUpID = values[25],
    actionQueue = values[26], firstID = values[27],
    fairnessKey = values[28], spec = values[1],
  }
end
