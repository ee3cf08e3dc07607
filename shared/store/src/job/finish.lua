-- finish: running | cancel_request -> done | error | cancel | worker_shutdown, with the token of
-- the claim; worker_dead -> worker_resurrection, when the worker came back and has stopped the job;
-- running -> waiting, when the job waits for its children or a signal, which takes no worker.
-- One script, so that the end, the freed locks and the follow-up are one step: a retry is neither
-- lost nor doubled.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  base    int     first back-off of a retry in ms, unless the job has its own
-- ARGV[2]  max     int     longest back-off of a retry in ms, unless the job has its own
-- ARGV[3…] per job: id, token, outcome ('done', 'error', 'held_back', which is an error after the
--          run held back a rate limit, 'cancel', 'shutdown', 'resurrect', 'await', 'wait'), result
--          as JSON or '', exception as JSON or '' (with 'wait', what it waits for: see
--          await_signal), id for a follow-up, jitter from 0 to 1
-- Answers  per job, in order:
--            {'finished', status}  recorded as this status
--            {'already', status}   this claim was ended before; nothing is written
--            {'stale'}             the token is not the job's; nothing is written
--            {'gone'}              no such job
--            {'refused', status}   the outcome is not allowed in this status; nothing is written
--            {'failed', reason}    a record cannot be read; the job is over, in `error` unless its
--                                  end was written before, and has no follow-up
-- flags: allow-oom
-- include: read_job, job_status, move_job, changes_after, follow_up, end_run, note_end, propagate
-- include: children_failed, await_signal, write_changes, try_step, set_aside, job_keys
-- include: relation_keys, clock, digits

local backoff, now = { base = tonumber(ARGV[1]), max = tonumber(ARGV[2]) }, now_ms()
local leads_to = {
  running = {
    done = 'done', error = 'error', held_back = 'error', shutdown = 'worker_shutdown',
    await = 'waiting', wait = 'waiting',
    -- The worker was asked to stop, and Redis has lost the request.
    cancel = 'cancel',
  },
  cancel_request = {
    done = 'done', error = 'error', held_back = 'error', cancel = 'cancel', shutdown = 'cancel',
    await = 'cancel', wait = 'cancel',
  },
  worker_dead = { resurrect = 'worker_resurrection' },
}

local function finish(id, token, outcome, result, exception, new_id, jitter)
  local job = read_job(id)
  if not job then return { 'gone' } end
  if job.token ~= token then return { 'stale' } end
  local to = leads_to[job.status] and leads_to[job.status][outcome]
  if not to then return { is_running(job) and 'refused' or 'already', job.status } end

  if to == 'worker_resurrection' then
    call('HSET', key_job(id), 'status', to, 'lastUpdated', digits(now))
    move_job(id, job, to, job.worker, job.token)
    return { 'finished', to }
  end
  local fields = {}
  local function add(name, value)
    if value ~= '' then fields[#fields + 1] = name; fields[#fields + 1] = value end
  end
  add('result', result)
  if outcome == 'wait' then
    if to == 'waiting' then
      await_signal(id, job, cjson.decode(exception), new_id, fields, now)
      return { 'finished', job.status }
    end
    exception = ''
  end
  if to == 'waiting' then
    if job.childGroup and call('EXISTS', key_children(job.childGroup)) == 1 then
      add('awaitsChildren', 1)
      add('ranUntil', digits(now))
      call('HSET', key_job(id), 'status', to, 'lastUpdated', digits(now), unpack(fields))
      move_job(id, job, to, job.worker, job.token)
      release_run(id, job, now)
      return { 'finished', to }
    end
    local failed = call('HGET', key_job(id), 'failedChildren')
    to = failed and 'error' or 'done'
    exception = failed and children_failed(failed) or ''
  end
  add('exception', exception)
  local run = { to = to, outcome = outcome, jitter = jitter }
  local changes = outcome ~= 'await' and changes_after(id, job, run, backoff)
  if changes then
    add('followUpID', new_id)
    follow_up(id, job, new_id, changes, now)
  end
  end_run(id, job, to, fields, now)
  return { 'finished', to }
end

local answers = {}
for i = 3, #ARGV, 7 do
  local answer, why = try_step(finish, unpack(ARGV, i, i + 6))
  if why then set_aside(ARGV[i], why, now) end
  answers[#answers + 1] = answer or { 'failed', why }
end
-- A chain of jobs goes on at once; what is more than this is left to the scheduler.
if end_noted then try_reported('propagate', propagate, 16, now) end
write_changes()
return answers
