-- delete_cron: deletes a cron with its held firings; the jobs that it created stay.
-- One script, so that the cron is whole or gone, and a firing on its way finds nothing.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the cron
-- Answers  {'deleted'}
--          {'gone'}     no such cron; nothing is written
-- flags: allow-oom
-- include: cron_keys, cron_job_keys, emit_cron

local name = ARGV[1]
if call('EXISTS', key_cron(name)) == 0 then return { 'gone' } end

call('DEL', key_cron(name), key_cron_jobs(name), key_cron_held(name))
call('ZREM', root .. 'crons', name)
call('ZREM', root .. 'cron_names', name)
emit_cron(name, 'deleted')
return { 'deleted' }
