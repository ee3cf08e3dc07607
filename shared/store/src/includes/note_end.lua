-- note_end: notes that the end of a job has consequences for others. There may be thousands of
-- those, so the script that ends the job only notes it, and propagate carries it out in steps.

local end_noted = false

-- 'dependents', id, outcome | 'child', id, group, outcome | 'stop', group
local function note_end(...)
  end_noted = true
  call('RPUSH', root .. 'propagations', table.concat({ ... }, ' '))
end

-- What the status of a job that is over means to the jobs that wait for it.
local function outcome_of(status)
  local outcomes = { done = 'done', cancel = 'cancel', deleted = 'cancel' }
  return outcomes[status] or 'error'
end
