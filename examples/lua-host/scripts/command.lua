-- The command client: every command of Redis is a method. (REDIS_HOST and its like: see general.lua.)

local client = redis.openRedisClient(ClientType.COMMAND, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD)
local commands = client:getCommands()

commands:set('test_record', 'Helloredis!')
print(commands:get('test_record'))

commands:set('test_counter', 41)
print('the counter is at ' .. commands:incr('test_counter'))

-- An error says what it is and where it was made.
local ok, err = pcall(function()
    commands:lpush('test_record', 'a record is no list')
end)
print('pushed: ' .. tostring(ok))
print(err.code .. ' in line ' .. err.line .. ': ' .. err.message)

-- Asynchronous calls begin at once. Their functions are called later, by the host's loop.
client:getAsyncCommands():get('test_record')
    :thenAccept(function(value)
        print('later: ' .. value)
        exit()
    end)
    :exceptionally(function(failure)
        print('no record: ' .. tostring(failure))
        exit()
    end)
