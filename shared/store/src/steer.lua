-- steer: an operator says what a worker shall do; it hears it with its next beat, and is told to beat at once.
-- One script, so that nothing is said to a worker that has just died or left.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  which
-- ARGV[2]  field   string  'drain' or 'wantedMap'
-- ARGV[3]  value   string  '1' or '' for drain; a capacity map as JSON
-- Answers  {'steered'}
--          {'over', status}  it is dead or has left; nothing is written
--          {'gone'}          no such worker

local status = call('HGET', key_worker(ARGV[1]), 'status')
if not status then return { 'gone' } end
if status == 'dead' or status == 'shutdown' then return { 'over', status } end

call('HSET', key_worker(ARGV[1]), ARGV[2], ARGV[3])
call('XADD', root .. 'events', 'MAXLEN', '~', 10000, '*', 'worker', ARGV[1], ARGV[2], ARGV[3])
call('PUBLISH', root .. 'hints:' .. ARGV[1], 'beat')
return { 'steered' }
