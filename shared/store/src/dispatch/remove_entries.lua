-- remove_entries: takes entries out of the outbox, because their offers are published.
-- One script, so that no entry stays that no relay has, and because Redis refuses a transaction
-- while it is full.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  group  string  the group of the relays
-- ARGV[2…] ids    string  of entries, at least one
-- Answers  {'removed'}
-- flags: allow-oom

call('XACK', root .. 'outbox', ARGV[1], unpack(ARGV, 2))
call('XDEL', root .. 'outbox', unpack(ARGV, 2))
return { 'removed' }
