-- heartbeat: a worker renews its lease and its record, and learns what became of its jobs.
-- One script, so that the renewed lease and the answer about its jobs are of the same moment.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  the worker
-- ARGV[2]  lease   int     length of the lease in ms
-- ARGV[3]  noted   int     the worker has noted every job that it claimed up to this token: it
--                          reports all of them whose end it has not recorded
-- ARGV[4]  count   int     how many of the next arguments are the record: name, value, …
-- ARGV[5…] the record, then per running job: id, token
-- Answers  {'renewed', heartbeatExpiration, drain, map, {word, id, …}…}
--            drain is '1' while the worker is to claim nothing, or ''; map is the capacity map
--            that an operator wants, as JSON, or ''; the words are
--            {'cancel', id}             stop the job
--            {'lost', id}               its claim is lost
--            {'unreported', id, token}  the job runs by its record, but the worker has recorded its
--                                       end: Redis has lost that write
--          {'dead'}  declared dead or shut down: this id is not used again
-- flags: allow-oom
-- include: worker_keys, job_keys, job_status, count_actions, count_in, emit, try_step, clock
-- include: digits

local worker, lease, first = ARGV[1], tonumber(ARGV[2]), 5 + tonumber(ARGV[4])
local known = call('HMGET', key_worker(worker), 'status', 'actions', 'drain', 'wantedMap')
local status = known[1]
if status == 'dead' or status == 'shutdown' then return { 'dead' } end

local now = now_ms()
local expiration = now + lease
if not status then
  call('HSET', key_worker(worker), 'status', 'running', 'startedAt', now)
  emit('worker', worker, 'status', 'running')
  count_in('workers', 1)
end
for i = 5, first - 1, 2 do
  if ARGV[i] == 'actions' and ARGV[i + 1] ~= known[2] then
    count_actions(known[2], -1)
    count_actions(ARGV[i + 1], 1)
  end
end
call('HSET', key_worker(worker), 'heartbeatExpiration', expiration, unpack(ARGV, 5, first - 1))
call('ZADD', root .. 'leases', expiration, worker)
call('ZADD', root .. 'workers', expiration, worker)
local answers = { 'renewed', digits(expiration), known[3] or '', known[4] or '' }
local held, count = {}, 0
for i = first, #ARGV, 2 do
  local id = ARGV[i]
  local job = try_step(call, 'HMGET', key_job(id), 'status', 'token', 'workerID') or {}
  if job[2] ~= ARGV[i + 1] or job[3] ~= worker or not is_running({ status = job[1] }) then
    answers[#answers + 1] = { 'lost', id }
  else
    if not held[id] then held[id], count = true, count + 1 end
    if job[1] == 'cancel_request' then answers[#answers + 1] = { 'cancel', id } end
  end
end
if call('SCARD', key_running(worker)) == count then return answers end
for _, id in ipairs(call('SMEMBERS', key_running(worker))) do
  local token = not held[id] and try_step(call, 'HGET', key_job(id), 'token')
  if token and tonumber(token) <= tonumber(ARGV[3]) then
    answers[#answers + 1] = { 'unreported', id, token }
  end
end
return answers
