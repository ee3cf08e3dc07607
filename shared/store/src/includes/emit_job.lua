-- emit_job: the event of a job that changes its status.
-- include: emit

local function emit_job(id, number, action, status, worker, token)
  local line, before = id .. ' ' .. number .. ' ' .. token, last_job_event
  if #event_lines % most_events == 0 or before[4] ~= action or before[5] ~= status
    or before[6] ~= worker then
    line = line .. ' ' .. action .. ' ' .. status .. ' ' .. worker
  end
  event_lines[#event_lines + 1] = line
  last_job_event = { id, number, token, action, status, worker }
end
