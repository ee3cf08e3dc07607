-- cancel: waiting -> cancel; running -> cancel_request, and its worker is told.
-- One script, so that a job is either cancelled before it runs or its worker hears of it, whatever comes first.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  by      string  who asks, or ''
-- ARGV[2]  reason  string  why, or ''
-- ARGV[3…] ids
-- Answers  per job, in order:
--            {'cancelled', status}  it is cancelled, or asked to stop
--            {'already', status}    it is over, or has been asked before; nothing is written
--            {'gone'}               no such job

local now = now_ms()
local fields = {}
local function add(name, value)
  if value ~= '' then fields[#fields + 1] = name; fields[#fields + 1] = value end
end
add('cancelBy', ARGV[1])
add('cancelReason', ARGV[2])

local answers = {}
for i = 3, #ARGV do
  local job = record(ARGV[i])
  if not job then
    answers[#answers + 1] = { 'gone' }
  elseif job.status ~= 'waiting' and job.status ~= 'running' then
    answers[#answers + 1] = { 'already', job.status }
  else
    stop(ARGV[i], job, fields, now)
    answers[#answers + 1] = { 'cancelled', job.status }
  end
end
return answers
