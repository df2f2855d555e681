// A verification service of your own says whose a token is.
import { RemoteTokenVerifier } from 'express-mcp-auth'
import { z } from 'zod'
import { createApp, result } from './server.js'

const { VERIFY_URL = 'https://auth-service.example.com/verify' } = process.env

const auth = new RemoteTokenVerifier({
  verifyUrl: VERIFY_URL,
  headers: { 'X-Service-Key': 'your-service-key' }, // the content type is known: JSON
  timeoutSeconds: 5,
})

export const app = createApp('Remote Auth Server', auth, (mcp) => {
  mcp.registerTool('external_auth_tool', { inputSchema: z.object({ input_data: z.string() }) }, (input) =>
    result(`Processed with external auth: ${input.input_data}`),
  )
})
