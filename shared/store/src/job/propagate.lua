-- propagate: the consequences of jobs that have ended, in the order in which they ended: their
-- dependents go on or end, their parents learn of it, and the children of cancelled jobs are
-- stopped.
-- One script, so that each consequence happens once; a step that is cut off is taken up by the next
-- call. The script that ended the job noted the end in `propagations`, so that none is forgotten.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many jobs to look at most
-- Answers  {'propagated', count, left}  how many jobs were looked at, and how many notes are left
-- flags: allow-oom
-- include: propagate, write_changes, clock, digits

local count = propagate(tonumber(ARGV[1]), now_ms())
write_changes()
return { 'propagated', digits(count), digits(call('LLEN', root .. 'propagations')) }
