-- The general client, which opens no connection itself.
--
-- REDIS_HOST, REDIS_PORT and REDIS_PASSWORD are the server that this host has started, on a free port, or the one that
-- its REDIS_URL names. With a Redis of your own it is
--     redis.openRedisClient(ClientType.BASIC, 'localhost', 6379, nil)

local client = redis.openRedisClient(ClientType.BASIC, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD)

print('the underlying client is for ' .. client:getRedisClient():getAddress())
print('ping: ' .. client:ping())

-- What a script leaves open is closed when it ends; whoever is done sooner closes it.
redis.closeRedisClient(client)
exit()
