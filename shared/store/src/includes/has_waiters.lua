-- has_waiters: whether jobs wait for a lock, read once per lock. A change of a wait queue resets it.
-- include: lock_keys

-- One local, because a function can capture 60 of them.
local waiters = { exist = {} }

function waiters.of(name)
  if waiters.exist[name] == nil then
    waiters.exist[name] = call('EXISTS', key_waiters(name)) == 1
  end
  return waiters.exist[name]
end
