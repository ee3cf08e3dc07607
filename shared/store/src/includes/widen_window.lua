-- widen_window: more jobs at a time are offered while only one fairness group, without a key, has
-- offers in a queue, and workers claim them soon after. The hash `routing` has the size as
-- `window:<queue>`, when it is not the usual one. As soon as another group has an offer there, what
-- is beyond the usual window goes back to the backlog.
-- include: offer_window, windows, claimed_up_to, count_offers, read_job, queue_of, queue_keys
-- include: member_of, members, digits

local widest_window = 1024
-- Claims this soon after the offer widen the window, and claims this late narrow it.
local soon_ms, late_ms = 100, 200
-- How many offers this script may still take back.
local left_to_take_back = 2000

local function set_window(queue, size)
  windows[queue] = size
  if size == offer_window then
    call('HDEL', root .. 'routing', 'window:' .. queue)
  else
    call('HSET', root .. 'routing', 'window:' .. queue, digits(size))
  end
end

-- The window of a group that has so many offers and more jobs behind them.
local function widened_window(job, offered, now)
  local queue = queue_of(job)
  local size, claimed = window_of(queue), claimed_up_to[queue]
  if not claimed then return size end
  local age = now - claimed
  if age > late_ms and size > offer_window then
    set_window(queue, math.max(offer_window, size / 2))
  elseif age < soon_ms and size < widest_window then
    write_members_of(key_ready(queue))
    if call('ZCARD', key_ready(queue)) == offered then set_window(queue, size * 2) end
  end
  return windows[queue]
end

-- The first offer of a group in a queue whose window is wide: the newest offers beyond the usual
-- window go back to the backlog. Those that were granted a lock stay.
local function share_window(queue)
  if window_of(queue) == offer_window then return end
  write_members_of(key_ready(queue))
  if call('ZCARD', key_ready(queue)) == 0 then return end
  set_window(queue, offer_window)
  if left_to_take_back <= 0 then return end
  local last = offer_window + left_to_take_back - 1
  local newest = call('ZRANGE', key_ready(queue), offer_window, last)
  left_to_take_back = left_to_take_back - #newest
  for _, member in ipairs(newest) do
    local job = read_job(id_of(member))
    if job and job.status == 'waiting' and not job.awaitedLocks then
      remove_member(key_ready(queue), member)
      add_member(key_backlog(group_of(job)), job.scheduledAt, member)
      count_offers(job, -1)
    end
  end
end
