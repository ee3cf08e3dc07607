-- needs_of: the locks a job must hold to run: its own, and those of its action and class when they
-- are limited.
-- include: parse_needs, permits_of

local function needs_of(job)
  local needs = parse_needs(job.locks)
  local limited = { 'action:' .. job.action, 'class:' .. job.class }
  read_limits(limited)
  for _, name in ipairs(limited) do
    if permits_of(name) < math.huge then needs[#needs + 1] = { name = name, need = 1 } end
  end
  return needs
end
