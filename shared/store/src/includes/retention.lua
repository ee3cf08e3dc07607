-- retention: how long the id of a job stays reserved after the job itself has been removed.

local id_reserved_s = 86400
-- How long the id of a submission that has joined a batch stays reserved, unless it is derived from
-- an idempotency key: longer than a service repeats a call whose answer was lost.
local call_repeated_s = 300
