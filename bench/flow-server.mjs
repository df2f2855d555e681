// Child process: one authorization server behind a real HTTP server.
import { flowContenders } from './flow-contenders.mjs'
import { serve } from './serve.mjs'

process.env.NODE_ENV = 'production'

serve(await flowContenders[process.argv[2]].app())
