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
--            {'gone'}               no such job
-- flags: allow-oom
-- include: read_job, stop_job, count_waiting, clock

local now, fields = now_ms(), {}
local function add(name, value)
  if value ~= '' then fields[#fields + 1] = name; fields[#fields + 1] = value end
end
add('cancelBy', ARGV[1])
add('cancelReason', ARGV[2])

local answers = {}
for i = 3, #ARGV do
  local job = read_job(ARGV[i])
  if not job then
    answers[#answers + 1] = { 'gone' }
  elseif job.status ~= 'waiting' and job.status ~= 'running' then
    answers[#answers + 1] = { 'already', job.status }
  else
    stop_job(ARGV[i], job, fields, now)
    answers[#answers + 1] = { 'cancelled', job.status }
  end
end
record_waiting()
return answers
