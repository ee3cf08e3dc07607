-- needs_of: the locks a job must hold to run: its own, and those of its action and class when they
-- are limited.
-- include: parse_needs, permits_of

local function needs_of(job)
  local needs = parse_needs(job.locks)
  for _, name in ipairs({ 'action:' .. job.action, 'class:' .. job.class }) do
    if permits_of(name) < math.huge then needs[#needs + 1] = { name = name, need = 1 } end
  end
  return needs
end
