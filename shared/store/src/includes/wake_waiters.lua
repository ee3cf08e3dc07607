-- wake_waiters: offers the waiters that a lock is granted to. No deadlock: only running jobs hold
-- locks, they wait for none, and all wait queues have the same order. No lost wake-up: every script
-- that can change who is granted a lock (it is freed or cleared, its permits are set, its first
-- waiter goes or starts) calls wake_waiters, which offers all that are granted. The permits of a rate
-- limit are restored over time, so note_next_start notes when to look again.
-- include: granted, permits_of, lock_keys, has_waiters, waiter_of, count_parked, wait_queue, offer
-- include: offer_now, note_next_start, member_of, words_in, digits

local wake_waiters
-- While waiters are being released: the other locks without a limit that they wait for, which are
-- left to the ticker.
local releasing

-- The lock has no limit any more: some waiters go on now, the ticker comes back for the others.
local function release_waiters(name, now)
  if releasing then
    releasing[name] = true
  else
    releasing = {}
    for _, member in ipairs(call('ZRANGE', key_waiters(name), 0, most_walked - 1)) do
      local id = id_of(member)
      local waiter = waiter_of(id)
      local job, is_offered = waiter.job, waiter.is_offered
      stop_waiting_for(id, job, name)
      if not is_offered and not job.awaitedLocks then
        count_parked(job, -1)
        offer(id, job, now)
      end
      for _, other in ipairs(words_in(job.awaitedLocks)) do wake_waiters(other, now) end
    end
    releasing = nil
  end
  if waiters.of(name) then
    call('ZADD', root .. 'grants', digits(now), name)
  end
end

function wake_waiters(name, now)
  if releasing and releasing[name] then return end
  if not waiters.of(name) then return end
  if permits_of(name) == math.huge then return release_waiters(name, now) end
  for _, id in ipairs(granted(name)) do
    local waiter = waiter_of(id)
    if not waiter.is_offered then
      local everywhere = true
      for _, other in ipairs(waiter.locks) do
        everywhere = everywhere and (other == name or granted(other)[id])
      end
      if everywhere then
        count_parked(waiter.job, -1)
        offer_now(id, waiter.job, now)
        waiter.is_offered = true
      end
    end
    if waiter.is_offered and not waiter.is_noted then
      for _, other in ipairs(waiter.locks) do
        call('ZADD', root .. 'grants', 'NX', digits(now + grant_ms), other)
      end
      waiter.is_noted = true
    end
  end
  note_next_start(name)
end
