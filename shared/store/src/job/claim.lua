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
--            {'claimed', token, number, attempt, spec}  as the record has them
--            {'gone'}             no such job
--            {'refused', status}  not waiting, not due yet, expired, waiting for other jobs or a
--                                 signal, its offer was taken back, or of an action that the
--                                 worker does not know; such a job is offered again to those that
--                                 know it
--            {'parked', lock}     this lock is held; the job joins its wait queue. No more are
--                                 tried after the 64th of a call
--            {'failed', reason}   the claim of this job failed, as it will again until the record
--                                 that the reason names is repaired
--          {'lease_ended'}  the lease has ended, but its jobs were not ended yet: a heartbeat may
--                           still renew it; nothing is written
--          {'superseded'}   a later call of this worker came before; nothing is written
--          {'lease_lost'}   the worker is unknown, dead, or has left; nothing is written
-- flags: allow-oom
-- include: read_job, job_status, offer_by_action, offered_at, withdraw_offer, park_job, needs_of
-- include: start_run, claimed_up_to, write_changes, try_step, set_aside, queue_keys, queue_of
-- include: worker_keys, member_of, members, clock

local worker, now = ARGV[1], now_ms()
local lease = call('HMGET', key_worker(worker), 'status', 'heartbeatExpiration', 'actions',
  'lastClaim')
if not lease[1] or lease[1] == 'dead' or lease[1] == 'shutdown' then return { 'lease_lost' } end
if tonumber(lease[2]) <= now then return { 'lease_ended' } end
if tonumber(lease[4] or 0) >= tonumber(ARGV[2]) then return { 'superseded' } end

call('HSET', key_worker(worker), 'lastClaim', ARGV[2])
local knows = {}
for name in string.gmatch(lease[3] or '', '[^,]+') do knows[name] = true end

-- Records that were read ahead. A job that waits for locks is read when it is its turn, because the
-- claim of another may change for which.
local records = {}

-- Reads the jobs that are tried first, and when they were offered: with one command per queue.
local function read_ahead()
  local offered, i = {}, 3
  local function read_one(id)
    local job = read_job(id, true)
    if not job or job.status ~= 'waiting' or job.awaitedLocks then return end
    local key, member = key_ready(queue_of(job)), member_of(id, job)
    offered[key] = offered[key] or {}
    table.insert(offered[key], member)
    records[id] = job
  end
  while i < #ARGV do
    local last = i + 1 + tonumber(ARGV[i + 1])
    for j = i + 2, math.min(last, i + 1 + tonumber(ARGV[i])) do try_step(read_one, ARGV[j]) end
    i = last + 1
  end
  for key, members in pairs(offered) do try_step(read_scores, key, members) end
end

local function claim(id, most)
  local job = records[id] or read_job(id, true)
  records[id] = nil
  if not job then return { 'gone' } end
  if not (is_running(job) and job.worker == worker) then
    local expired = job.expiresAt and tonumber(job.expiresAt) <= now
    -- A job that was ready stays ready when the clock is set back.
    local early = tonumber(job.scheduledAt) > now and score_of(root .. 'due', member_of(id, job))
    local blocked = job.blockers or job.awaitsChildren or job.awaitedSignal
    if early or blocked or expired or job.status ~= 'waiting' then
      return { 'refused', job.status }
    end
    if not knows[job.action] then
      offer_by_action(id, job, now)
      return { 'refused', job.status }
    end
    -- Its offer was taken back: another fairness group has jobs here too.
    if not offered_at(id, job) and score_of(key_backlog(group_of(job)), member_of(id, job)) then
      return { 'refused', job.status }
    end
    local needs = needs_of(job)
    local busy = #needs > 0 and park_job(id, job, needs, now)
    if busy then return { 'parked', busy } end
    job.bytes = #(job.spec or '')
    start_run(id, job, worker, needs, most, now)
  end
  return { 'claimed', job.token, tostring(job.number), tostring(job.attempt), job.spec or '' }
end

read_ahead()
local answers, i, parks_left = { 'claims' }, 3, 64
while i < #ARGV do
  local max, last = tonumber(ARGV[i]), i + 1 + tonumber(ARGV[i + 1])
  local tried = {}
  for j = i + 2, last do
    if max == 0 or parks_left == 0 then break end
    local answer, why = try_step(claim, ARGV[j], math.min(max, last - j + 1))
    -- Ends the run if it was begun.
    if why then set_aside(ARGV[j], why, now) end
    answer = answer or { 'failed', why }
    tried[#tried + 1] = answer
    if answer[1] == 'claimed' then max = max - 1 end
    if answer[1] == 'parked' then parks_left = parks_left - 1 end
  end
  answers[#answers + 1] = tried
  i = last + 1
end
try_reported('refill_offers', refill_offers, now)
try_reported('record_claims', record_claims)
write_changes()
return answers
