// Run by each Node of the matrix in a project that has the package installed: the checks, on every host. Prints a line for each.
import { createRequire } from 'node:module'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import { bare, checkGuard, checkProxy, checkServer } from './checks.mjs'

const onApp = (create) => (handlers) => {
  const app = create()
  for (const handler of handlers) app.use(handler)
  return app
}

const HOSTS = {
  'Express 5': onApp(express),
  'Express 4': onApp(express4),
  connect: onApp(connect),
  'node:http': bare,
}

checkProxy()
await checkClient()
for (const [name, host] of Object.entries(HOSTS)) {
  await checkGuard(host)
  await checkServer(host)
  console.log(name)
}

/** A token that the client was given, where there is a client. */
async function checkClient() {
  const { exports, name } = createRequire(import.meta.url)('express-mcp-auth/package.json')
  if (exports['./client'] === undefined) return
  const { BearerAuth } = await import(`${name}/client`)
  const token = await new BearerAuth('a-token').getToken()
  if (token !== 'a-token') throw new Error(`BearerAuth: ${token}`)
}
