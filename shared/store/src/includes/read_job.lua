-- read_job: the fields of a job's record that a change needs, with its spec on request; nil when
-- there is no such job.
-- include: job_keys

local function read_job(id, with_spec)
  -- No field has the name '-'.
  local values = call('HMGET', key_job(id), 'status', 'token', 'number', 'action', 'class',
    'priority', 'scheduledAt', 'workerID', 'attempt', 'retriesLeft', 'crashes', 'uniqueKey',
    'expiresAt', 'deleting', 'owner', 'locks', 'holds', 'awaitedLocks', 'next', 'blockers',
    'childGroup', 'parentGroup', 'awaitsChildren', 'followUpID', 'actionQueue', 'firstID',
    'fairnessKey', 'parkedAt', 'startedAt', 'heldBack', 'awaitedSignal',
    with_spec and 'spec' or '-')
  if not values[1] then return nil end
  return {
    status = values[1], token = values[2], number = values[3], action = values[4],
    class = values[5], priority = values[6] or 'normal', scheduledAt = values[7],
    worker = values[8], attempt = tonumber(values[9] or 1),
    retriesLeft = tonumber(values[10] or 0), crashes = tonumber(values[11] or 0),
    uniqueKey = values[12], expiresAt = values[13], deleting = values[14],
    owner = values[15], locks = values[16], holds = values[17],
    awaitedLocks = values[18], next = values[19], blockers = values[20], childGroup = values[21],
    parentGroup = values[22], awaitsChildren = values[23], followUpID = values[24],
    actionQueue = values[25], firstID = values[26],
    fairnessKey = values[27], parkedAt = values[28], startedAt = values[29],
    heldBack = tonumber(values[30] or 0), awaitedSignal = values[31], spec = values[32],
  }
end
