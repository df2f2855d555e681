// Metrics of every decision. The guard tells its events; here they are counted and printed every ten seconds.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import { metrics } from '@opentelemetry/api'
import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import express from 'express'
import { type AuthEvent, StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000' } = process.env

// In production this is set up once for all of the app, with an exporter for your collector.
const exporter = new ConsoleMetricExporter()
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 })
const meterProvider = new MeterProvider({ readers: [reader] })
metrics.setGlobalMeterProvider(meterProvider)

const meter = metrics.getMeter('express-mcp-auth')
const requests = meter.createCounter('mcp.auth.requests', {
  description: 'Requests by how they were decided',
})
const outages = meter.createCounter('mcp.auth.outages', {
  description: 'Keys or services that did not answer',
})

/** Attributes are few and known: who called is for logs, where every value may differ. */
function count(event: AuthEvent): void {
  if (event.type === 'request.allowed') requests.add(1, { decision: 'allowed', cached: event.cached })
  else if (event.type === 'request.refused')
    requests.add(1, { decision: 'refused', status: event.status, stage: event.reason.stage })
  else if (event.type === 'keys.failed' || event.type === 'service.failed') outages.add(1, { url: event.url })
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'opentelemetry', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (ctx) => ({
    content: [{ type: 'text', text: ctx.http?.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
})

const app = express()
// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
const provider = new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'dev' } } })
app.use(mcpAuth(provider, { onEvent: count }))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => {
  console.log(`http://127.0.0.1:${PORT}/mcp takes "Authorization: Bearer dev-token"`)
})
server.on('close', () => void meterProvider.shutdown())
