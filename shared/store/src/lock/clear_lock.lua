-- clear_lock: takes a lock from all jobs that hold it, by hand; the next waiters are woken.
-- One script, so that a holder that ends late frees nothing that another job holds by then. The
-- former holders go on running: what the lock protects can reject them by their tokens.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the lock
-- Answers  {'cleared', count}  how many jobs held it; 0 when it was free or does not exist
-- flags: allow-oom
-- include: lock_keys, wake_waiters, withdraw_offer, write_changes, emit, clock, digits

-- A limit may have a million holders. The event names some.
local most_named = 100

local name, now = ARGV[1], now_ms()
local count = call('HLEN', key_lock(name))
if count == 0 then return { 'cleared', '0' } end

local holders = call('HRANDFIELD', key_lock(name), most_named)
call('UNLINK', key_lock(name))
call('HDEL', root .. 'permits:held', name)
emit('lock', name, 'change', 'cleared', 'value', table.concat(holders, ' '))
wake_waiters(name, now)
refill_offers(now)
write_changes()
return { 'cleared', digits(count) }
