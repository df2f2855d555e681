// A process of a person's program that shares its tokens with others of its kind. When all are there, it calls a tool.
import { OAuth } from 'express-mcp-auth/client'
import { Visitor, v2 } from './client-stand.js'

const [, , serverUrl = '', storageDirectory = '', ahead = '0'] = process.argv
const visitor = new Visitor()
const auth = new OAuth({
  serverUrl,
  storageDirectory,
  openBrowser: visitor.open,
  deps: { now: () => Date.now() + Number(ahead) * 1000 },
})

// Answered once all of them are there.
await fetch(new URL('/go', serverUrl))
process.stdout.write(`${await work().catch(String)}\n`)

async function work(): Promise<string> {
  const connected = await v2.connect(auth)
  const { authInfo } = JSON.parse(await connected.call('whoami')) as { authInfo: { subject: string } }
  await connected.close()
  return `called as ${authInfo.subject}, opened ${visitor.opened.length}`
}
