-- The pub/sub client: a function of the script hears what is published. (REDIS_HOST and its like: see general.lua.)

local client = redis.openRedisClient(ClientType.PUB_SUB, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD)

local listener
local waiting = 2

-- Both functions below run on the host's thread, one after the other, in whichever order.
local function finish()
    waiting = waiting - 1
    if waiting == 0 then
        client:unregisterListener(listener)
        print('registered: ' .. tostring(listener:isRegistered()))
        exit()
    end
end

local function message_received(channel, message)
    print("received a message on channel '" .. channel .. "': " .. message)
    finish()
end

listener = client:registerListener(message_received, 'test_channel')

client:publishAsync('test_channel', 'This is a test message!'):thenAccept(function(receivers)
    print('clients that received it: ' .. receivers)
    finish()
end)
