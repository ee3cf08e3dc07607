-- leave: a worker that has nothing left gives its lease back.
-- One script, so that a worker that still holds jobs cannot leave: those are the reaper's to end.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  who leaves
-- Answers  {'left'}          its record says shutdown; when it said so before, nothing is written
--          {'holds', count}  it still holds jobs; nothing is written
--          {'gone'}          unknown or dead; nothing is written

local worker = ARGV[1]
local status = call('HGET', key_worker(worker), 'status')
if not status or status == 'dead' then return { 'gone' } end
if status == 'shutdown' then return { 'left' } end
local held = call('SCARD', key_held(worker))
if held > 0 then return { 'holds', text(held) } end

call('HSET', key_worker(worker), 'status', 'shutdown')
call('ZREM', root .. 'leases', worker)
call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'worker', worker, 'status', 'shutdown')
return { 'left' }
