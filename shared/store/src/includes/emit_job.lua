-- emit_job: the event of a job that changes its status, with the class if it is known. `since` is
-- when the job was due, if it starts, and when its run started, if it ends or is to stop.
-- include: emit

local function emit_job(id, number, action, status, worker, token, class, since)
  class, since = class or '', since or ''
  local line, before = id .. ' ' .. number .. ' ' .. token .. ' ' .. since, last_job_event
  if #event_lines % most_events == 0 or before[5] ~= action or before[6] ~= status
    or before[7] ~= worker or before[8] ~= class then
    line = line .. ' ' .. action .. ' ' .. status .. ' ' .. worker .. ' ' .. class
  end
  event_lines[#event_lines + 1] = line
  before[1], before[2], before[3], before[4] = id, number, token, since
  before[5], before[6], before[7], before[8] = action, status, worker, class
end
