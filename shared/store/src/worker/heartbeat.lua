-- heartbeat: a worker renews its lease and its record, and learns what became of its jobs.
-- One script, so that the renewed lease and the answer about its jobs are of the same moment.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  the worker
-- ARGV[2]  lease   int     length of the lease in ms
-- ARGV[3]  count   int     how many of the next arguments are the record: name, value, …
-- ARGV[4…] the record, then per running job: id, token
-- Answers  {'renewed', heartbeatExpiration, drain, map, {word, id}…}
--            drain is '1' while the worker is to claim nothing, or ''; map is the capacity map
--            that an operator wants, as JSON, or ''; word is 'cancel' (stop the job) or 'lost'
--            (its claim is lost)
--          {'dead'}  declared dead or shut down: this id is not used again
-- flags: allow-oom
-- include: worker_keys, job_keys, job_status, count_actions, count_in, emit, try_step, clock
-- include: digits

local worker, lease, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local known = call('HMGET', key_worker(worker), 'status', 'actions')
local status = known[1]
if status == 'dead' or status == 'shutdown' then return { 'dead' } end

local now = now_ms()
local expiration = now + lease
if not status then
  call('HSET', key_worker(worker), 'status', 'running', 'startedAt', now)
  emit('worker', worker, 'status', 'running')
  count_in('workers', 1)
end
for i = 4, 3 + count, 2 do
  if ARGV[i] == 'actions' and ARGV[i + 1] ~= known[2] then
    count_actions(known[2], -1)
    count_actions(ARGV[i + 1], 1)
  end
end
call('HSET', key_worker(worker), 'heartbeatExpiration', expiration, unpack(ARGV, 4, 3 + count))
call('ZADD', root .. 'leases', expiration, worker)
call('ZADD', root .. 'workers', expiration, worker)
local wanted = call('HMGET', key_worker(worker), 'drain', 'wantedMap')
local answers = { 'renewed', digits(expiration), wanted[1] or '', wanted[2] or '' }
for i = 4 + count, #ARGV, 2 do
  local job = try_step(call, 'HMGET', key_job(ARGV[i]), 'status', 'token') or {}
  if job[2] ~= ARGV[i + 1] or not is_running({ status = job[1] }) then
    answers[#answers + 1] = { 'lost', ARGV[i] }
  elseif job[1] == 'cancel_request' then
    answers[#answers + 1] = { 'cancel', ARGV[i] }
  end
end
return answers
