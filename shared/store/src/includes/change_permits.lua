-- change_permits: sets how many permits a lock has; '' restores the default. Waiters that are
-- granted it are woken; for all keys of an action, `action:scan:*`, the ticker does that.
-- include: permits_of, granted, wake_waiters, emit, digits

local function change_permits(name, count, now)
  if count == '' then
    call('HDEL', root .. 'permits', name)
  else
    call('HSET', root .. 'permits', name, count)
  end
  known_permits, known_granted = {}, {}
  local prefix = string.match(name, '^(.*:)%*$')
  if prefix then
    for _, lock in ipairs(call('SMEMBERS', root .. 'contended')) do
      if string.sub(lock, 1, #prefix) == prefix then
        call('ZADD', root .. 'grants', digits(now), lock)
      end
    end
  else
    wake_waiters(name, now)
  end
  emit('lock', name, 'change', 'permits', 'value', count)
end
