-- widen_window: widens the window of a fairness group without a key while it is the only group with
-- offers in its queue and workers claim them soon. The hash `routing` has the size of each window
-- that is wider than usual, as `window:<queue>`. When another group gets an offer in the queue, the
-- offers beyond the usual window return to the backlog.
-- include: offer_window, windows, claimed_up_to, count_offers, read_job, queue_of, queue_keys
-- include: member_of, members, digits

local widest_window = 1024
-- Claims sooner than this after the offer widen the window; those later than that narrow it.
local soon_ms, late_ms = 100, 200
-- How many more offers this script may withdraw.
local left_to_withdraw = 2000

local function set_window(queue, size)
  windows[queue] = size
  if size == offer_window then
    call('HDEL', root .. 'routing', 'window:' .. queue)
  else
    call('HSET', root .. 'routing', 'window:' .. queue, digits(size))
  end
end

-- The window of a group with `offered` offers and more jobs behind them.
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

-- Called when a group gets its first offer in a queue: if the window there is wide, the newest
-- offers beyond the usual window return to the backlog. Jobs that were granted a lock stay offered.
local function share_window(queue)
  if window_of(queue) == offer_window then return end
  write_members_of(key_ready(queue))
  if call('ZCARD', key_ready(queue)) == 0 then return end
  set_window(queue, offer_window)
  if left_to_withdraw <= 0 then return end
  local last = offer_window + left_to_withdraw - 1
  local newest = call('ZRANGE', key_ready(queue), offer_window, last)
  left_to_withdraw = left_to_withdraw - #newest
  for _, member in ipairs(newest) do
    local job = read_job(id_of(member))
    if job and job.status == 'waiting' and not job.awaitedLocks then
      remove_member(key_ready(queue), member)
      add_member(key_backlog(group_of(job)), job.scheduledAt, member)
      count_offers(job, -1)
    end
  end
end
