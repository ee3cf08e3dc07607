-- claim: waiting -> running, for a worker whose lease is good.
-- One script, so that at most one worker has a job: the lease, the token and the indexes change together. Asking
-- again for a job that this worker has already (the answer was lost) gives the same token and changes nothing.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  who claims
-- ARGV[2]  call    int     rises with each call of this worker: one that was given up and arrives late changes nothing,
--                         or nobody would know of the jobs that it claimed
-- ARGV[3…] per request: max (how many to claim at most), count, then `count` job ids, tried in this order
-- Answers  {'claims', {answer…}…}  per request, an answer for each id that was tried, in order:
--            {'claimed', token, number, attempt, spec}  it is yours
--            {'gone'}                                   no such job
--            {'refused', status}                        not waiting, not due yet, expired, waiting for other jobs, or of
--                                                       an action that the worker does not know: the offer is used up
--            {'parked', lock}                           somebody holds this lock; the job stands in line for it
--          {'lease_late'}          its lease has ended but nobody has said so yet: beat first; nothing is written
--          {'overtaken'}           a later call of this worker has come before; nothing is written
--          {'lease_lost'}          the worker is unknown, dead, or has left; nothing is written

local worker = ARGV[1]
local now = now_ms()
local moment = text(now)
local lease = call('HMGET', key_worker(worker), 'status', 'heartbeatExpiration', 'actions', 'lastClaim')
if not lease[1] or lease[1] == 'dead' or lease[1] == 'shutdown' then return { 'lease_lost' } end
if tonumber(lease[2]) <= now then return { 'lease_late' } end
if tonumber(lease[4] or 0) >= tonumber(ARGV[2]) then return { 'overtaken' } end

call('HSET', key_worker(worker), 'lastClaim', ARGV[2])
local knows = {}
for name in string.gmatch(lease[3] or '', '[^,]+') do knows[name] = true end

-- How far along each queue the claims have come: what was offered long before that and still waits was lost.
local reached = {}

-- Another worker may know its action: it is offered again after a while, which grows while nobody does.
local function put_off(id, job)
  take_out(id, job, now)
  local tried = call('HINCRBY', key_job(id), 'bounced', 1)
  call('ZADD', root .. 'due', text(now + math.min(30000, 500 * 2 ^ math.min(tried, 6))), id)
end

local function start(id, job, needs)
  job.token = text(call('INCR', root .. 'token'))
  move(id, job, 'running', worker, job.token)
  call('HSET', key_job(id), 'status', 'running', 'workerID', worker, 'token', job.token,
    'startedAt', moment, 'lastUpdated', moment)
  local offered = call('ZSCORE', key_ready(job.class, job.priority), id)
  if offered then
    local queue = queue_of(job)
    reached[queue] = math.max(reached[queue] or 0, tonumber(offered))
  end
  hold(id, needs)
  take_out(id, job, now)
  for _, lock in ipairs(needs) do wake(lock.name, now) end
  if job.expiresAt then call('ZREM', root .. 'expiring', id) end
  call('ZADD', key_jobs_of(worker), job.scheduledAt, id)
  call('SADD', key_held(worker), id)
end

local function claim(id)
  local job = record(id)
  if not job then return { 'gone' } end
  if not (is_running(job) and job.worker == worker) then
    local expired = job.expiresAt and tonumber(job.expiresAt) <= now
    local early = tonumber(job.scheduledAt) > now or job.blockers or job.awaits
    if job.status ~= 'waiting' or early or expired then return { 'refused', job.status } end
    if not knows[job.action] then
      if is_ready(id, job) then put_off(id, job) end
      return { 'refused', job.status }
    end
    local needs = needs_of(job)
    local busy = #needs > 0 and find_busy(id, job, needs, now)
    if busy then return { 'parked', busy } end
    start(id, job, needs)
  end
  return { 'claimed', job.token, job.number, text(job.attempt), spec_of(id) }
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
refill(now)
for queue, offered in pairs(reached) do
  if offered > tonumber(call('HGET', root .. 'reached', queue) or 0) then
    call('HSET', root .. 'reached', queue, text(offered))
  end
end
return answers
