-- cancel: waiting -> cancel; running -> cancel_request, and a hint to the worker.
-- One script, so that a job is either cancelled before it runs, or its worker learns of the
-- request.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  by      string  who asks, or ''
-- ARGV[2]  reason  string  why, or ''
-- ARGV[3…] ids     string
-- Answers  per job, in order:
--            {'cancelled', status}  it is cancelled, or asked to stop
--            {'already', status}    it is over, or was asked before; nothing is written
--            {'gone'}               no such job, or one that cannot be read
-- flags: allow-oom
-- include: read_job, stop_job, write_changes, try_step, clock

local now, fields = now_ms(), {}
local function add(name, value)
  if value ~= '' then fields[#fields + 1] = name; fields[#fields + 1] = value end
end
add('cancelBy', ARGV[1])
add('cancelReason', ARGV[2])

local function cancel(id)
  local job = read_job(id)
  if not job then return { 'gone' } end
  local was = job.status
  if was ~= 'waiting' and was ~= 'running' then return { 'already', was } end
  stop_job(id, job, fields, now)
  return { 'cancelled', job.status }
end

local answers = {}
for i = 3, #ARGV do
  answers[#answers + 1] = try_reported(ARGV[i], cancel, ARGV[i]) or { 'gone' }
end
write_changes()
return answers
