-- stop_bulk: running -> stopped. The process that runs the operation ends its current step.
-- One script, so that an operation that ends meanwhile keeps its state.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  id       string  the operation
-- ARGV[2]  by       string  who stops it
-- ARGV[3]  kept_ms  number  how long its record is kept
-- Answers  {'stopped'}
--          {'already', state}  it has ended; nothing is written
--          {'gone'}            no such operation
-- flags: allow-oom
-- include: bulk_keys, end_bulk, clock

local state = call('HGET', key_bulk(ARGV[1]), 'state')
if not state then return { 'gone' } end
if state ~= 'running' then return { 'already', state } end

call('HSET', key_bulk(ARGV[1]), 'stoppedBy', ARGV[2])
end_bulk(ARGV[1], 'stopped', now_ms(), ARGV[3])
return { 'stopped' }
