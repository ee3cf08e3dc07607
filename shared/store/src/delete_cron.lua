-- delete_cron: a cron goes, with the firings that it holds; the jobs that it made stay.
-- One script, so that it is whole or gone, and a firing that is on its way finds nothing.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  name  string  of the cron
-- Answers  {'deleted'}
--          {'gone'}     there is none; nothing is written

local name = ARGV[1]
if call('EXISTS', key_cron(name)) == 0 then return { 'gone' } end

call('DEL', key_cron(name), key_cron_jobs(name), key_cron_held(name))
call('ZREM', root .. 'crons', name)
call('ZREM', root .. 'cron_names', name)
emit_cron(name, 'deleted')
return { 'deleted' }
