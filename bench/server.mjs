// Child process: one guard behind a real HTTP server.
import { createApp } from './contenders.mjs'
import { serve } from './serve.mjs'

const [id, settings] = [process.argv[2], JSON.parse(process.argv[3])]

serve(await createApp(id, settings))
