-- count_parked: counts the jobs of a queue that wait for locks and are not offered.
-- include: queue_of

local function count_parked(job, by)
  local queue = queue_of(job)
  if call('HINCRBY', root .. 'parked', queue, by) == 0 then
    call('HDEL', root .. 'parked', queue)
  end
end
