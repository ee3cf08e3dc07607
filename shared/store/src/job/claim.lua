-- claim: waiting -> running, for a worker whose lease is good.
-- One script, so that at most one worker has a job: lease, token, locks and indexes change
-- together. A repeated claim of a job that this worker has already (the answer was lost) gets the
-- same token and changes nothing.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  the worker that claims
-- ARGV[2]  call    int     rises with each call of this worker. A call that was given up and
--                          arrives late changes nothing: the worker would not know of the jobs it
--                          claimed
-- ARGV[3…] per request: max (how many to claim at most), count, then `count` job ids, tried in this
--          order
-- Answers  {'claims', {answer…}…}  per request, an answer for each id that was tried, in order:
--            {'claimed', token, number, attempt, spec}
--            {'gone'}             no such job
--            {'refused', status}  not waiting, not due yet, expired, waiting for other jobs, or of
--                                 an action that the worker does not know: the offer is used up
--            {'parked', lock}     this lock is held; the job joins its wait queue
--          {'lease_ended'}  the lease has ended, but its jobs were not ended yet: a heartbeat may
--                           still renew it; nothing is written
--          {'superseded'}   a later call of this worker came before; nothing is written
--          {'lease_lost'}   the worker is unknown, dead, or has left; nothing is written
-- include: read_job, job_status, move_job, queue_of, offered_at, withdraw_job, withdraw_offer
-- include: park_job, needs_of, hold_locks, wake_waiters, job_keys, worker_keys, clock, digits

local worker, now = ARGV[1], now_ms()
local moment = digits(now)
local lease = call('HMGET', key_worker(worker), 'status', 'heartbeatExpiration', 'actions',
  'lastClaim')
if not lease[1] or lease[1] == 'dead' or lease[1] == 'shutdown' then return { 'lease_lost' } end
if tonumber(lease[2]) <= now then return { 'lease_ended' } end
if tonumber(lease[4] or 0) >= tonumber(ARGV[2]) then return { 'superseded' } end

call('HSET', key_worker(worker), 'lastClaim', ARGV[2])
local knows = {}
for name in string.gmatch(lease[3] or '', '[^,]+') do knows[name] = true end

-- Per queue, when the newest of the claimed jobs was offered. An older offer that still waits was
-- lost.
local claimed_up_to = {}

-- The worker does not know the action: the job is offered again later, to another worker perhaps.
-- The delay grows while no worker knows it.
local function put_off(id, job)
  withdraw_job(id, job, now)
  local refusals = call('HINCRBY', key_job(id), 'refusals', 1)
  call('ZADD', root .. 'due', digits(now + math.min(30000, 500 * 2 ^ math.min(refusals, 6))), id)
end

local function start(id, job, needs)
  job.token = digits(call('INCR', root .. 'token'))
  move_job(id, job, 'running', worker, job.token)
  call('HSET', key_job(id), 'status', 'running', 'workerID', worker, 'token', job.token,
    'startedAt', moment, 'lastUpdated', moment)
  local offered = offered_at(id, job)
  if offered then
    local queue = queue_of(job)
    claimed_up_to[queue] = math.max(claimed_up_to[queue] or 0, tonumber(offered))
  end
  hold_locks(id, needs)
  withdraw_job(id, job, now)
  for _, lock in ipairs(needs) do wake_waiters(lock.name, now) end
  if job.expiresAt then call('ZREM', root .. 'expiring', id) end
  call('ZADD', key_jobs_of(worker), job.scheduledAt, id)
  call('SADD', key_running(worker), id)
end

local function claim(id)
  local job = read_job(id)
  if not job then return { 'gone' } end
  if not (is_running(job) and job.worker == worker) then
    local expired = job.expiresAt and tonumber(job.expiresAt) <= now
    local early = tonumber(job.scheduledAt) > now or job.blockers or job.awaitsChildren
    if job.status ~= 'waiting' or early or expired then return { 'refused', job.status } end
    if not knows[job.action] then
      if offered_at(id, job) then put_off(id, job) end
      return { 'refused', job.status }
    end
    local needs = needs_of(job)
    local busy = #needs > 0 and park_job(id, job, needs)
    if busy then return { 'parked', busy } end
    start(id, job, needs)
  end
  local spec = call('HGET', key_job(id), 'spec')
  return { 'claimed', job.token, job.number, digits(job.attempt), spec }
end

local answers, i = { 'claims' }, 3
while i < #ARGV do
  local max, last = tonumber(ARGV[i]), i + 1 + tonumber(ARGV[i + 1])
  local tried = {}
  for j = i + 2, last do
    if max == 0 then break end
    local answer = claim(ARGV[j])
    tried[#tried + 1] = answer
    if answer[1] == 'claimed' then max = max - 1 end
  end
  answers[#answers + 1] = tried
  i = last + 1
end
refill_offers(now)
for queue, offered in pairs(claimed_up_to) do
  if offered > tonumber(call('HGET', root .. 'claimed_up_to', queue) or 0) then
    call('HSET', root .. 'claimed_up_to', queue, digits(offered))
  end
end
return answers
