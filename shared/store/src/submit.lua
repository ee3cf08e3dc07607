-- submit: nothing -> waiting, unless the id is known already, or its unique key is taken.
-- One script, because a job must never be in an index, or answered 202, without being on its way; and of two with the
-- same unique key one must be first.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  limit    int     how many queues a namespace may have
-- ARGV[2]  batch    string  the kept batch that the jobs are of, or ''
-- ARGV[3]  done     int     how many of its jobs are submitted after this call. What was submitted of it before, or when it is
--                          not kept any more, is not made again: it may have run and left the history
-- ARGV[4…] per job: id, action, class, priority, scheduledAt in ms or '' for now, retries, spec as JSON,
--          'once' when the id must not be used again within a day even if its record is gone, or '',
--          count (of the next arguments), further fields of the record: name, value, … Two of them are no fields:
--          'dependsOn', ids; 'parentID', the job whose child it is
-- Answers  {'submitted', {word, number, createdAt, scheduledAt, id}…}  in the order asked; word is
--            'created'
--            'known'   there is a record with this id already
--            'taken'   a job that is not over has the unique key; what follows is its
--            'spent'   the id was used and its record is gone; only the id follows
--          {'too_many_queues', queue}                                  nothing is written
--          {'unknown_dependency', place, id}                           the job at this place, from 0, names a job that is not
--                                                                      there; nothing is written
--          {'foreign_dependency', place, id}                           … a child, and the job is no sibling of it and not over
--          {'parent_over', place, id}                                  … a parent that is over, or not there

local limit = tonumber(ARGV[1])

local jobs, i = {}, 4
local seen, queues = {}, {}
while i < #ARGV do
  local job = { action = ARGV[i + 1], class = ARGV[i + 2], priority = ARGV[i + 3], scheduledAt = ARGV[i + 4] }
  if ARGV[i + 5] ~= '0' then job.retriesLeft = ARGV[i + 5] end
  local last = i + 8 + tonumber(ARGV[i + 8])
  for j = i + 9, last, 2 do job[ARGV[j]] = ARGV[j + 1] end
  jobs[#jobs + 1] = { id = ARGV[i], fields = job, spec = ARGV[i + 6], once = ARGV[i + 7] == 'once' }
  local queue = job.class .. '.' .. job.priority
  if not seen[queue] then
    seen[queue] = true
    queues[#queues + 1] = queue
  end
  i = last + 1
end
local batch, done = ARGV[2], tonumber(ARGV[3])
-- In a batch that was kept nothing is refused any more.
local mine = {}
for place, job in ipairs(jobs) do
  local wrong = batch == '' and refused_relation(job, mine)
  if wrong then return { wrong.word, text(place - 1), wrong.id } end
  mine[job.id] = job
end
local fresh = fresh_queues(queues)
if #fresh > 0 and call('SCARD', root .. 'queues') + #fresh > limit then
  return { 'too_many_queues', fresh[1] }
end

add_queues(fresh)
local now = now_ms()
local again = batch ~= '' and (call('EXISTS', root .. 'batch:' .. batch) == 0
  or tonumber(call('HGET', root .. 'batches:done', batch) or 0) >= done)
local answers = { 'submitted' }
local function answer(word, id)
  local known = call('HMGET', key_job(id), 'number', 'createdAt', 'scheduledAt')
  if not known[1] then return false end
  answers[#answers + 1] = { word, known[1], known[2], known[3], id }
  return true
end

local function submit(job)
  if answer('known', job.id) then return end
  local spent = again or job.once and call('GET', key_once(job.id))
  if spent then
    if spent == true or not answer('taken', spent) then answers[#answers + 1] = { 'spent', job.id } end
    return
  end
  local unique = job.fields.uniqueKey
  local holder = unique and call('GET', key_unique(unique))
  local taken = holder and answer('taken', holder)
  -- Whoever asks again with this id is answered the same.
  if taken then stands_for[job.id] = holder end
  if job.once or taken and batch ~= '' then call('SET', key_once(job.id), taken and holder or job.id, 'EX', 86400) end
  if taken then return end
  if job.fields.scheduledAt == '' then job.fields.scheduledAt = text(now) end
  local parent_id = job.fields.parentID
  if parent_id then join_family(job.id, job.fields) end
  if job.fields.dependsOn then depend(job.id, job.fields, parent_id) end
  local number = create(job.id, job.fields, job.spec, now)
  answers[#answers + 1] = { 'created', number, text(now), job.fields.scheduledAt, job.id }
end
for _, job in ipairs(jobs) do submit(job) end
if batch ~= '' and not again then call('HSET', root .. 'batches:done', batch, done) end
return answers
