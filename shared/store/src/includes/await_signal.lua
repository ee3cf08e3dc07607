-- await_signal: the run of a job is over, and the job waits for a signal without a worker, as a
-- parent does for its children. A signal that was sent before continues it at once.
-- include: job_keys, signal_keys, move_job, end_run, resume_job, members, digits

-- `wait` has the name, the longest time in ms, and the least role of the sender, if there are any;
-- `new_id` is for the follow-up that the signal leads to.
local function await_signal(id, job, wait, new_id, fields, now)
  local known = call('HMGET', key_job(id), 'signal', 'signalledAt')
  -- What continued this job before was for its earlier runs.
  if known[1] then
    call('UNLINK', key_signal(id))
    call('HDEL', key_job(id), 'signal')
  end
  local early = known[2] and call('HGET', key_early_signals(id), wait.signal)
  if early and not may_signal(string.match(early, '^%d+ (%a+) '), wait.role) then
    drop_early_signal(id, wait.signal)
    early = nil
  end
  local function add(name, value) fields[#fields + 1] = name; fields[#fields + 1] = value end
  add('awaitedSignal', wait.signal)
  add('continuesAs', new_id)
  add('ranUntil', digits(now))
  if wait.role then add('signalRole', wait.role) end
  if wait.timeout then
    add('signalUntil', digits(now + wait.timeout))
    add_member(root .. 'expiring', digits(now + wait.timeout), id)
  end
  call('HSET', key_job(id), 'status', 'waiting', 'lastUpdated', digits(now), unpack(fields))
  move_job(id, job, 'waiting', job.worker, job.token)
  release_run(id, job, now)
  job.awaitedSignal = wait.signal
  if early then resume_job(id, job, early, now) end
end
