-- keep_batch: nothing -> kept, as one value that says all that is to be submitted.
-- One script, so that a large batch is accepted whole or not at all: from here on it is carried out, by who put it in
-- or, when that dies or Redis is away for long, by a scheduler. Whoever hears nothing, or 503, repeats it with its key. Its jobs are then submitted in small steps that do not hold up Redis.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  id      string  of the batch
-- ARGV[2]  limit   int     how many queues a namespace may have
-- ARGV[3]  jobs    JSON    all of it
-- ARGV[4…] the queues of its jobs, each once
-- Answers  {'kept'}
--          {'too_many_queues', queue}  nothing is written

local fresh = fresh_queues({ unpack(ARGV, 4) })
if #fresh > 0 and call('SCARD', root .. 'queues') + #fresh > tonumber(ARGV[2]) then
  return { 'too_many_queues', fresh[1] }
end

add_queues(fresh)
call('SET', root .. 'batch:' .. ARGV[1], ARGV[3])
call('ZADD', root .. 'batches', now_ms(), ARGV[1])
return { 'kept' }
