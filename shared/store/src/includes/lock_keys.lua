-- lock_keys: keys of one lock.

-- The jobs that hold it, with how many permits each.
local function key_lock(name) return root .. 'lock:' .. name end
-- Its wait queue: the jobs that wait for it, most urgent first.
local function key_waiters(name) return root .. 'waiters:' .. name end
