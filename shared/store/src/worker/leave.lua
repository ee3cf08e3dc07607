-- leave: running -> shutdown, for a worker that runs no jobs any more.
-- One script, so that a worker that still runs jobs cannot leave: the lease reaper ends those.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  the worker
-- Answers  {'left'}          its record says shutdown; when it did before, nothing is written
--          {'holds', count}  it still runs jobs; nothing is written
--          {'gone'}          unknown or dead; nothing is written
-- flags: allow-oom
-- include: worker_keys, count_actions, emit, digits

local worker = ARGV[1]
local known = call('HMGET', key_worker(worker), 'status', 'actions')
local status = known[1]
if not status or status == 'dead' then return { 'gone' } end
if status == 'shutdown' then return { 'left' } end
local running = call('SCARD', key_running(worker))
if running > 0 then return { 'holds', digits(running) } end

call('HSET', key_worker(worker), 'status', 'shutdown')
call('ZREM', root .. 'leases', worker)
uncount_worker(known[2])
emit('worker', worker, 'status', 'shutdown')
return { 'left' }
