-- take_turns: the groups of an owner that wait for room in the owner's window get in in turn, so
-- that one of its fairness keys does not hold up another. The zset `turns:…` has the keys whose
-- groups have a backlog and room in their own window.
-- include: offer_window, offer_next, has_backlog, hash_counts, queue_keys, queue_of, pop_members

-- A group goes behind those that wait already.
local function join_turns(job)
  local turns = key_turns(owner_in_queue(job))
  local last = call('ZRANGE', turns, -1, -1, 'WITHSCORES')[2]
  call('ZADD', turns, 'NX', (last or 0) + 1, job.fairnessKey)
end

-- Offers jobs until the owner's window has no room, or no group waits. `job` names the owner.
local function take_turns(job, room, now)
  while room > 0 do
    local keys = pop_members(key_turns(owner_in_queue(job)), room)
    if #keys == 0 then return end
    local each = math.floor(room / #keys)
    for _, key in ipairs(keys) do
      job.fairnessKey = key
      local free = offer_window - count_of('offered', group_of(job))
      local offered = offer_next(job, math.min(each, free), now)
      if offered == each and free > each and has_backlog(job) then
        join_turns(job)
      end
      room = room - offered
    end
  end
end
