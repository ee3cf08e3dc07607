-- try_step: a step about one record, of a script that handles several. When the record is not what
-- the step expects, its step fails and the others are still carried out. What it wrote before it
-- failed stays.

-- How long until a step that failed is tried again.
local again_ms = 60000

-- What the step returns. When it fails, nothing and the reason.
local function try_step(step, ...)
  local done, answer = pcall(step, ...)
  if done then return answer end
  return nil, type(answer) == 'table' and answer.err or tostring(answer)
end

-- The same, for a step that no caller waits for: the list `failures` has the reason, and a
-- scheduler logs it.
local function try_reported(subject, step, ...)
  local answer, why = try_step(step, ...)
  if why then
    try_step(call, 'LPUSH', root .. 'failures', subject .. ' ' .. why)
    try_step(call, 'LTRIM', root .. 'failures', 0, 999)
  end
  return answer, why
end
