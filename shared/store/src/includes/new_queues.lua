-- new_queues: bounds the queues of a namespace. The relay declares a new one and announces it.

-- Those of these queues that no job has used before; second, one that exceeds the limit.
local function new_queues(queues, limit)
  local new = {}
  for _, queue in ipairs(queues) do
    if call('SISMEMBER', root .. 'queues', queue) == 0 then new[#new + 1] = queue end
  end
  if #new > 0 and call('SCARD', root .. 'queues') + #new > limit then return new, new[1] end
  return new
end

local function add_queues(new)
  if #new > 0 then call('SADD', root .. 'queues', unpack(new)) end
end
