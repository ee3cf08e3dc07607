-- retention: how long the id of a job stays reserved after the job itself has been removed.

local id_reserved_s = 86400
