-- route: decides through which queue a job is offered. A job whose action all live workers know
-- goes to the shared queue of its class and priority; any other goes to the queue of its action,
-- which only the workers that know it consume. The hash `routing` has how many workers live
-- (`workers`), how many of them know an action (`knows:<action>`), each queue in use with the time
-- since when (`queue:<name>`), and the windows of some (`window:<name>`). The hash `queue_owners`
-- has who put a queue in use: one owner may have half of the queues.
-- include: queue_of, offer_window, windows, job_keys, digits

local max_queues = { shared_queues = 256, action_queues = 1024 }
-- What this script has read: the route by the queue of class and action, and the queues in use.
local routes, in_use = {}, {}

-- The queue for a job now, and the limit that it counts towards.
local function route_of(job)
  local shared, own = shared_queue_of(job), action_queue_of(job)
  if not routes[own] then
    local found = call('HMGET', root .. 'routing', 'workers', 'knows:' .. job.action,
      'queue:' .. shared, 'queue:' .. own, 'window:' .. shared, 'window:' .. own)
    windows[shared] = windows[shared] or tonumber(found[5] or offer_window)
    windows[own] = windows[own] or tonumber(found[6] or offer_window)
    in_use[shared], in_use[own] = in_use[shared] or found[3], in_use[own] or found[4]
    if (found[1] or '0') == (found[2] or '0') then
      routes[own] = { queue = shared, kind = 'shared_queues' }
    else
      routes[own] = { queue = own, kind = 'action_queues' }
    end
  end
  return routes[own]
end

-- A worker that does not know the action lives, whatever the counts say.
local function route_by_action(job)
  local route = route_of(job)
  route.queue, route.kind = action_queue_of(job), 'action_queues'
end

-- How many queues of each kind an owner has put in use.
local function queues_of(owner)
  local counts = { shared_queues = 0, action_queues = 0 }
  local all = call('HGETALL', root .. 'queue_owners')
  for i = 1, #all, 2 do
    if all[i + 1] == owner then
      local kind = string.find(all[i], '@', 1, true) and 'action_queues' or 'shared_queues'
      counts[kind] = counts[kind] + 1
    end
  end
  return counts
end

-- Puts the queues of these jobs in use: all of them, or none when one would exceed a limit. Returns
-- that one.
local function open_queues(jobs, now)
  local new, counted, owned, seen = {}, {}, {}, {}
  for _, job in ipairs(jobs) do
    local route = route_of(job)
    if not in_use[route.queue] and not seen[route.queue] then
      seen[route.queue] = true
      new[#new + 1] = { route = route, owner = job.owner }
      local kind = route.kind
      counted[kind] = counted[kind] or tonumber(call('HGET', root .. 'routing', kind) or 0)
      counted[kind] = counted[kind] + 1
      if counted[kind] > max_queues[kind] then return route.queue end
      if job.owner then
        owned[job.owner] = owned[job.owner] or queues_of(job.owner)
        owned[job.owner][kind] = owned[job.owner][kind] + 1
        if owned[job.owner][kind] > max_queues[kind] / 2 then return route.queue end
      end
    end
  end
  for _, opened in ipairs(new) do
    local route = opened.route
    if opened.owner then call('HSET', root .. 'queue_owners', route.queue, opened.owner) end
    call('HSET', root .. 'routing', 'queue:' .. route.queue, digits(now))
    call('HINCRBY', root .. 'routing', route.kind, 1)
    in_use[route.queue] = digits(now)
  end
end

-- Assigns a job to the queue of its route. Returns false when there is no room for that queue.
local function assign_queue(id, job, now)
  if not in_use[route_of(job).queue] and open_queues({ job }, now) then return false end
  local by_action = route_of(job).kind == 'action_queues'
  if by_action and not job.actionQueue then
    call('HSET', key_job(id), 'actionQueue', 1)
  elseif job.actionQueue and not by_action then
    call('HDEL', key_job(id), 'actionQueue')
  end
  job.actionQueue = by_action
  return true
end
