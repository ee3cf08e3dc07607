-- settle: what hangs on the ends of jobs is carried out, in the order in which they ended: those that waited for one go on
-- or end, a parent hears of its child, the children of a cancelled job are stopped.
-- One script, so that each of these is heard once; a step that is cut off is taken up by whoever comes next. The note of
-- an end (`settling`) was written by the script that made it, so that no end is forgotten.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  max   int     how many jobs to move at most
-- Answers  {'settled', moved, left}  how many jobs were looked at, how many notes are left

local moved = settle(tonumber(ARGV[1]), now_ms())
return { 'settled', text(moved), text(call('LLEN', root .. 'settling')) }
