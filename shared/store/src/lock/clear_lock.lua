-- clear_lock: takes a lock from all jobs that hold it, by hand; the next waiters are woken.
-- One script, so that a holder that ends late frees nothing that another job holds by then. The
-- former holders go on running: what the lock protects can reject them by their tokens.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the lock
-- Answers  {'cleared', id…}  the former holders; none when it was free or does not exist
-- flags: allow-oom
-- include: lock_keys, wake_waiters, withdraw_offer, emit, clock

local name, now = ARGV[1], now_ms()
local holders = call('HKEYS', key_lock(name))
if #holders == 0 then return { 'cleared' } end

call('DEL', key_lock(name))
call('HDEL', root .. 'permits:held', name)
emit('lock', name, 'change', 'cleared', 'value', table.concat(holders, ' '))
wake_waiters(name, now)
refill_offers(now)
return { 'cleared', unpack(holders) }
