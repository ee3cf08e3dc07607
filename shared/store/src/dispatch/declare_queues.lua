-- declare_queues: records that the broker has these queues, so that workers consume them.
-- One script, so that a relay can announce a queue whose jobs wait even when Redis is full.
-- KEYS[1]  root    string  the namespace
-- ARGV[1…] queues  string  their names
-- Answers  {'declared'}
-- flags: allow-oom

call('SADD', root .. 'declared', unpack(ARGV))
call('PUBLISH', root .. 'hints', 'queues')
return { 'declared' }
