-- submit: nothing -> waiting, unless the id is known already or its unique key is taken.
-- One script, because a job in an index, or one that was answered 202, must be on its way; and
-- because one of two submissions with the same unique key must be first.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  batch    string  the kept batch that the jobs belong to, or ''
-- ARGV[2]  done     int     how many jobs of that batch are submitted after this call. When as many
--                           were before, or the batch is not kept any more, nothing is created
--                           again: the jobs may have run and left the history
-- ARGV[3…] jobs     JSON    one each: id, fields (of its record), spec (as JSON in a string),
--                           reserveID (its id is not used again within a day, even when its record
--                           is gone), requestHash (of the request from whose idempotency key the id
--                           is derived), dependsOn (ids), parentID, debounceMs (it is due after so
--                           long; until then, another one with its unique key replaces it and puts
--                           it off again), debounceMaxMs (counted from the first), batch (it waits
--                           for waitMs, until it has as many submissions as size; key is that of
--                           the submissions that can join it, bytes those of its parameters, of
--                           mostBytes that all of them may have)
-- Answers  {'submitted', {answer…}…}  in the order of the jobs:
--            {'created', number, createdAt, scheduledAt, id}
--            {'known', …}   a job with this id exists
--            {'taken', …}   another job has the unique key and is not over; it is the one described
--            {'replaced', …}  the same, and it has become what was submitted
--            {'joined', …}  its parameters were added to this batch
--            {'spent', id}  the id was used and its record is gone
--          {'too_many_queues', queue}         nothing is written
--          {'quota_exceeded', owner, 'jobs' or 'bytes', waiting, most}
--                                             so many jobs of this owner, or bytes of their specs,
--                                             wait, and the new ones would be more than may;
--                                             nothing is written
--          {'unknown_dependency', index, id}  the job at this index, from 0, depends on a job that
--                                             does not exist; nothing is written
--          {'foreign_dependency', index, id}  it is a child and depends on a job that is neither a
--                                             sibling nor over; nothing is written
--          {'unknown_parent', index, id}      its parent does not exist; nothing is written
--          {'parent_over', index, id}         its parent is over or being stopped; nothing is
--                                             written
--          {'other_request', index, id}       its idempotency key was used for another request,
--                                             which the job with this id answers; nothing is
--                                             written
-- include: check_relations, check_request, submit_job, join_batch, submission_quota, write_changes
-- include: route
-- include: clock, digits

local batch, done, now = ARGV[1], tonumber(ARGV[2]), now_ms()
local jobs, by_id, fields = {}, {}, {}
for i = 3, #ARGV do
  local job = cjson.decode(ARGV[i])
  -- Nothing in a batch that was kept is refused any more. When there is no room for a queue, its
  -- jobs wait.
  local refused = batch == '' and (refused_request(job.id, job.requestHash, by_id[job.id])
    or refused_relation(job, by_id))
  if refused then return { refused.reason, digits(i - 3), refused.id } end
  jobs[#jobs + 1], fields[#fields + 1] = job, job.fields
  by_id[job.id] = job
end
local exceeded = batch == '' and exceeded_by(jobs, now)
if exceeded then return exceeded end
local excess = batch == '' and open_queues(fields, now)
if excess then return { 'too_many_queues', excess } end

local again = batch ~= '' and (call('EXISTS', root .. 'batch:' .. batch) == 0
  or tonumber(call('HGET', root .. 'batches:done', batch) or 0) >= done)
local answers = { 'submitted' }
then_write_changes(function()
  find_known(jobs)
  then_write_batches(now, function()
    for i, job in ipairs(jobs) do
      answers[i + 1] = submit_job(job, again, batch, #jobs - i + 1, now)
    end
  end)
end)
if batch ~= '' and not again then call('HSET', root .. 'batches:done', batch, done) end
return answers
