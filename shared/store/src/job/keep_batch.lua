-- keep_batch: nothing -> kept, as one value that holds all jobs to be submitted.
-- One script, so that a large batch is accepted whole or not at all. From here on the API carries
-- it out in small steps that do not hold up Redis; when the API dies, a scheduler does.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  id      string  of the batch
-- ARGV[2]  limit   int     how many queues a namespace may have
-- ARGV[3]  jobs    JSON    all jobs
-- ARGV[4…] queues  string  the queues of the jobs, each once
-- Answers  {'kept'}
--          {'too_many_queues', queue}  nothing is written
-- include: new_queues, clock

local new, excess = new_queues({ unpack(ARGV, 4) }, tonumber(ARGV[2]))
if excess then return { 'too_many_queues', excess } end

add_queues(new)
call('SET', root .. 'batch:' .. ARGV[1], ARGV[3])
call('ZADD', root .. 'batches', now_ms(), ARGV[1])
return { 'kept' }
