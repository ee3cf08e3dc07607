-- resume_job: a job that waits for a signal is done with its part, and a follow-up continues it,
-- which is ready at once and reads `signal`. The follow-up has the id that the end of the run chose.
-- include: follow_up, end_waiting, job_keys, signal_keys

local function resume_job(id, job, signal, now)
  local new_id = call('HGET', key_job(id), 'continuesAs')
  local changes = { retriesLeft = job.retriesLeft, crashes = 0, delay_ms = 0 }
  follow_up(id, job, new_id, changes, now)
  call('SET', key_signal(new_id), signal)
  call('HSET', key_job(new_id), 'signal', job.awaitedSignal)
  drop_early_signal(new_id, job.awaitedSignal)
  local ended = { 'followUpID', new_id }
  local role, by = string.match(signal, '^%d+ (%a+) (%S+)')
  if role ~= 'timeout' then ended[3], ended[4] = 'signalBy', by end
  end_waiting(id, job, 'done', ended, now)
end
