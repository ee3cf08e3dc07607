-- lose_runs: running -> worker_dead, cancel_request -> cancel, for runs that their living worker
-- does not know any more: Redis has lost the writes that ended them.
-- One script, so that the end of a job and the follow-up that carries it on are one step. A run
-- that has ended, or that another one has followed, is left alone.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  the worker that had them
-- ARGV[2…] per run: id, token, id for a follow-up
-- Answers  {'ended', count}  how many were ended
-- flags: allow-oom
-- include: read_job, job_status, lose_run, write_changes, clock, digits

local worker, ended, now = ARGV[1], 0, now_ms()
local why = 'worker ' .. worker .. ' does not run it any more, and redis has lost how it ended'
local function lose(id, token, new_id)
  local job = read_job(id)
  local held = job and is_running(job) and job.worker == worker and job.token == token
  if held then
    lose_run(id, job, new_id, why, now)
    ended = ended + 1
  end
end
then_write_changes(function()
  for i = 2, #ARGV, 3 do lose(unpack(ARGV, i, i + 2)) end
end)
return { 'ended', digits(ended) }
