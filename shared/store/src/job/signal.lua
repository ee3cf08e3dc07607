-- signal: waiting -> done with a follow-up, for a job that waits for this signal; a signal that is
-- sent before is kept until the job waits for it.
-- One script, so that the first signal continues the job, once, and none is lost between a run and
-- its wait.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  id    string  the job
-- ARGV[2]  name  string  of the signal
-- ARGV[3]  role  string  of the sender: 'operator' or 'admin'
-- ARGV[4]  by    string  who sends it
-- ARGV[5]  body  JSON    what is sent
-- ARGV[6]  max   int     how many signals of other names are kept for one job
-- ARGV[7]  only  string  'only', or '' if the signal may reach a job that continues this one
-- Answers  {'continued', id}   the job waited for it; `id` is the follow-up
--          {'kept', id}        until the job `id` waits for it
--          {'already', ms}     it was sent then, and no run has asked for another since, or the time
--                              for it was over then; nothing is written
--          {'forbidden', role} the job waits for a signal of this role; nothing is written
--          {'full'}            as many signals are kept as may be; nothing is written
--          {'over', status}    the job is over; nothing is written
--          {'gone'}            no such job
-- include: read_job, last_follow_up, job_status, resume_job, signal_keys, write_changes, job_keys, clock
-- include: digits

local name, role, now = ARGV[2], ARGV[3], now_ms()
local job, id
if ARGV[7] == 'only' then
  job, id = read_job(ARGV[1]), ARGV[1]
else
  job, id = last_follow_up(ARGV[1])
end
if not job then return { 'gone' } end
if is_final(job) then return { 'over', job.status } end

local signal = digits(now) .. ' ' .. role .. ' ' .. ARGV[4] .. ' ' .. ARGV[5]
local known = call('HMGET', key_job(id), 'signalRole', 'signal', 'signalledAt', 'continuesAs')
if job.status ~= 'waiting' or job.awaitedSignal ~= name then
  local sent = known[2] == name and call('GET', key_signal(id))
    or known[3] and call('HGET', key_early_signals(id), name)
  if sent then return { 'already', string.match(sent, '^%d+') } end
  if known[3] and call('HLEN', key_early_signals(id)) >= tonumber(ARGV[6]) then
    return { 'full' }
  end
  call('HSET', key_early_signals(id), name, signal)
  call('HSET', key_job(id), 'signalledAt', digits(now))
  return { 'kept', id }
end
if not may_signal(role, known[1]) then return { 'forbidden', known[1] } end
resume_job(id, job, signal, now)
write_changes()
return { 'continued', known[4] }
