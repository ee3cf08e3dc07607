-- follow_up: the job that carries one on, written in the step that ends the earlier one, which it
-- names.
-- include: create_job, words_in, job_keys, relation_keys, cron_job_keys, checkpoint_keys
-- include: signal_keys, digits

-- The fields of the record that belong to one run. A follow-up inherits all others, also those
-- that only a later build knows.
local of_one_run = {}

-- The keys that belong to a chain, by the field that says that there is one.
local keys_of_chain = {
  checkpointed = key_checkpoint, signal = key_signal, signalledAt = key_early_signals,
}

local function follow_up(id, job, new_id, changes, now)
  if not of_one_run.status then
    for _, name in ipairs(words_in('status number createdAt lastUpdated startedAt finishedAt ' ..
        'workerID token retryFromID followUpID retriesLeft crashes result exception progress ' ..
        'cancelBy cancelReason expiresAt awaitedLocks holds actionQueue blockers when ' ..
        'replaced replacedBy awaitsChildren unblockedAt parkedAt grantedAt ranUntil cancelAt ' ..
        'parkedFor deleting logLines logBytes logCut loggedAt awaitedSignal signalUntil ' ..
        'signalRole signalBy continuesAs')) do
      of_one_run[name] = true
    end
  end
  local record, fields = call('HGETALL', key_job(id)), {}
  for i = 1, #record, 2 do
    if not of_one_run[record[i]] then fields[record[i]] = record[i + 1] end
  end
  -- Only the newest record of a chain has the checkpoint and the signals. A retry of a job that
  -- succeeded starts from the beginning.
  for field, key in pairs(keys_of_chain) do
    if fields[field] and job.status ~= 'done' and call('EXISTS', key(id)) == 1 then
      call('RENAME', key(id), key(new_id))
      call('HDEL', key_job(id), field)
    else
      fields[field] = nil
    end
  end
  local spec = fields.spec
  fields.spec, fields.priority, fields.retryFromID = nil, job.priority, id
  fields.attempt, fields.scheduledAt = job.attempt + 1, digits(now + changes.delay_ms)
  if changes.retriesLeft > 0 then fields.retriesLeft = changes.retriesLeft end
  if changes.heldBack then fields.heldBack = changes.heldBack end
  if changes.crashes > 0 then fields.crashes = changes.crashes end
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
  fields.firstID = job.firstID or id
  create_job(new_id, fields, spec, now)
  call('ZADD', key_chain(fields.firstID), job.number, id, fields.number, new_id)
end
