-- finish: running | cancel_request -> done | error | cancel | worker_shutdown, with its token;
-- worker_dead -> worker_resurrection, when the worker came back and has stopped it;
-- running -> waiting, when it has done its part and waits for its children, which takes no worker.
-- One script, so that the end, the freed lease and the follow-up job are one step: a retry is never lost or doubled.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  base    int     first back-off of a retry, ms, unless the job says otherwise
-- ARGV[2]  max     int     longest back-off of a retry, ms, unless the job says otherwise
-- ARGV[3…] per job: id, token, outcome ('done', 'error', 'cancel', 'shutdown', 'resurrect', 'await'), result as JSON or '', exception as
--          JSON or '', id for a follow-up, jitter from 0 to 1
-- Answers  per job, in order:
--            {'finished', status}  recorded as this status
--            {'already', status}   this claim had ended it before; nothing is written
--            {'stale'}             the token is not the job's; nothing is written
--            {'gone'}              no such job
--            {'refused', status}   the outcome does not lead anywhere from this status

local base, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local leads = {
  running = { done = 'done', error = 'error', shutdown = 'worker_shutdown', await = 'waiting' },
  cancel_request = { done = 'done', error = 'error', cancel = 'cancel', shutdown = 'cancel', await = 'cancel' },
  worker_dead = { resurrect = 'worker_resurrection' },
}

local function changes_for(id, status, job, jitter)
  if job.status == 'cancel_request' then return nil end   -- somebody wants it to end
  if status == 'error' and job.retriesLeft > 0 then
    local own = call('HMGET', key_job(id), 'backoffBase', 'backoffMax')
    local first, most = tonumber(own[1] or base), tonumber(own[2] or longest)
    -- By failures: what a worker's end has cost counts nothing.
    local failed = (cjson.decode(spec_of(id)).retries or 0) - job.retriesLeft
    local delay = math.min(most, first * 2 ^ math.max(0, math.min(failed, 30)))
    return { retriesLeft = job.retriesLeft - 1, crashes = 0, delay_ms = math.floor(delay * (0.5 + jitter / 2)) }
  elseif status == 'worker_shutdown' and call('HGET', key_job(id), 'onWorkerLost') ~= 'fail' then
    return { retriesLeft = job.retriesLeft, crashes = job.crashes, delay_ms = 0 }
  end
end

local function finish(id, token, outcome, result, exception, new_id, jitter)
  local job = record(id)
  if not job then return { 'gone' } end
  if job.token ~= token then return { 'stale' } end
  local to = leads[job.status] and leads[job.status][outcome]
  if not to then return { is_running(job) and 'refused' or 'already', job.status } end
  if to == 'worker_resurrection' then
    call('HSET', key_job(id), 'status', to, 'lastUpdated', text(now))
    move(id, job, to, job.worker, job.token)
    return { 'finished', to }
  end

  local fields = {}
  local function add(name, value)
    if value ~= '' then fields[#fields + 1] = name; fields[#fields + 1] = value end
  end
  add('result', result)
  if to == 'waiting' then
    if job.family and call('EXISTS', key_children(job.family)) == 1 then
      call('HSET', key_job(id), 'status', to, 'lastUpdated', text(now), 'awaits', 1, unpack(fields))
      move(id, job, to, job.worker, job.token)
      let_run_go(id, job, now)
      return { 'finished', to }
    end
    local failed = call('HGET', key_job(id), 'failed')
    to = failed and 'error' or 'done'
    exception = failed and children_failed(failed) or ''
  end
  add('exception', exception)
  local changes = outcome ~= 'await' and changes_for(id, to, job, jitter)
  if changes then
    add('followUpID', new_id)
    follow_up(id, job, new_id, changes, now)
  end
  end_run(id, job, to, fields, now)
  return { 'finished', to }
end

local answers = {}
for i = 3, #ARGV, 7 do
  answers[#answers + 1] = finish(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5],
    tonumber(ARGV[i + 6]))
end
-- Chains go on at once; what is more, the ticker does.
if noted then settle(16, now) end
return answers
