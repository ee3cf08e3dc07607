-- log: adds lines to the log of a running job, with the token of its claim.
-- One script, so that lines are numbered without a gap and a repeated call (the answer was lost)
-- adds none twice. The id of an entry in the stream is its line number plus one: a stream has no
-- entry 0.
-- KEYS[1]  root   string  the namespace
-- ARGV[1]  id     string  the job
-- ARGV[2]  token  int     of the claim
-- ARGV[3]  first  int     number of the first of these lines
-- ARGV[4]  limit  int     how many bytes a log may have. Lines beyond are dropped; a last line says
--                         so
-- ARGV[5…] per line: source ('stdout', 'stderr', 'capstan'), age in ms (lines come in batches, and
--          each keeps its own time), text
-- Answers  {'ok'}     all lines are in the log
--          {'cut'}    the log has reached its limit
--          {'stale'}  the token is not the job's, or the run is over; nothing is written
-- flags: allow-oom
-- include: job_keys, job_status, clock

local id, first, limit = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local job = call('HMGET', key_job(id), 'status', 'token', 'logLines', 'logBytes', 'logCut',
  'loggedAt', 'startedAt')
if job[2] ~= ARGV[2] or not is_running({ status = job[1] }) then return { 'stale' } end
if job[5] then return { 'cut' } end

-- Even an empty line takes space.
local line_overhead = 16
local now = now_ms()
local lines, bytes = tonumber(job[3] or 0), tonumber(job[4] or 0)
-- A call that was delayed on its way makes its lines look later than they were. No line is earlier
-- than the one before it, nor than the run.
local logged_at = tonumber(job[6] or job[7])
local function add(source, age, text)
  lines, bytes = lines + 1, bytes + #text + line_overhead
  logged_at = math.max(logged_at, now - age)
  call('XADD', key_log(id), lines .. '-0', 'at', logged_at, 'source', source, 'text', text)
end
local function note_lines(...)
  call('HSET', key_job(id), 'logLines', lines, 'logBytes', bytes, 'loggedAt', logged_at, ...)
end
for i = 5 + 3 * math.max(0, lines - first), #ARGV, 3 do
  if bytes + #ARGV[i + 2] + line_overhead > limit then
    add('capstan', 0, 'the log is cut here: it has reached its limit of ' .. limit .. ' bytes')
    note_lines('logCut', 1)
    return { 'cut' }
  end
  add(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2])
end
note_lines()
return { 'ok' }
